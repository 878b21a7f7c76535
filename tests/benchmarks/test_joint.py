"""Joint against separate search at equal training budget, on Fashion-MNIST and emoji: the figures of docs/joint.md.

Every arm trains the same number of candidates for the same epochs on the same images, then four networks in full. Arms
differ in what they may choose: everything, architectures under one recipe, or the recipe of one network, which the
other networks of its kind then take over; those that may choose everything in what they begin with, or in the sampler.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from numpy.typing import NDArray
from rich.console import Console
from scipy import stats

from search.console.progress import Progress
from search.experiment.experiment import Experiment, save_config
from search.experiment.warm_start import write_earlier
from search.family.handover import member_of
from search.family.members import Family, Member
from search.finals.outcome import Finals, finalists_of
from search.problem.front import pareto_front
from search.record.storage import open_storage
from search.record.study import Study
from search.setting.config import Config
from search.setting.prior import prior_of
from search.setting.setting import prepare
from spaces import components
from spaces.candidate import Candidate
from spaces.dimensions import Value
from spaces.space import Space
from tests.emoji import needs_emoji
from tests.places import ROOT
from trainables.data.fashion_mnist import DEBIAN

pytestmark = pytest.mark.benchmark

SEEDS = 5
PRIORS = ROOT / "spaces" / "priors"


@dataclass(frozen=True, kw_only=True)
class Images:
    """A data set, how long a candidate trains on it (members: twice as long), and other images with recorded trainings.

    ``split_seed`` of a set with few test images is the seed of the run, so that seeds do not share these.
    """

    keywords: Mapping[str, str | int | float]
    split_seed: bool
    epochs: int
    prior: str


DATA = {
    "fashion_mnist": Images(
        keywords={"train_images": 4000, "validation": 0.375}, split_seed=False, epochs=4, prior="tiny_emoji"
    ),
    "emoji": Images(keywords={"validation": 0.3, "test": 0.3}, split_seed=True, epochs=12, prior="tiny_fashion_mnist"),
}
BUDGETS = (20e3, 45e3, 100e3, 200e3)
TIMM: dict[str, Value] = {
    "optimizer.name": "sgd",
    "optimizer.learning_rate.sgd": 0.1 * 32 / 256,
    "optimizer.momentum.sgd": 0.9,
    "optimizer.weight_decay": 2e-5,
    "label_smoothing.rate": 0.1,
}
"""Defaults of timm's ``train.py``: SGD, 0.1 per 256 images of a batch, cosine. What is not named here is off."""
ADAMW: dict[str, Value] = {
    "optimizer.name": "adamw",
    "optimizer.learning_rate.adamw": 3e-3,
    "optimizer.weight_decay": 1e-3,
}
"""A recipe that one would write by hand for so short a schedule (that of ``test_objectives.py``)."""
OFF = ("dropout.rate", "stochastic_depth.rate", "mixup.alpha", "label_smoothing.rate", "ema.decay", "augment.shift",
       "augment.rotate_degrees", "augment.erase", "optimizer.momentum.sgd")  # fmt: skip
NETWORKS = {
    "mobilenet": [(8, 0, (1, 2, 3)), (8, 1, (1, 2, 3)), (12, 1, (1, 2, 3)), (12, 2, (1, 2, 3))],
    "efficientnet": [(8, 0, (1, 2, 2)), (8, 1, (1, 2, 2)), (16, 1, (1, 1, 2)), (16, 2, (1, 1, 2))],
}
"""Resolution, step of the width and depths of a network for each budget."""
SEARCHED = 2
"""The network of a kind whose recipe is searched."""


BEGINNINGS = {
    "joint": (),
    "references": ("references",),
    "prior": ("prior",),
    "both": ("references", "prior"),
}
"""What arms begin with that may choose everything: nothing, reference pairs, trainings on other images."""
SAMPLERS = ("random", "tpe", "gp", "nsga2")
"""Optuna's, over all pairs: score and macs are their two objectives, and they begin with the references as well."""


def config(
    name: str,
    data: str,
    seed: int,
    runs: Path,
    restrict: Mapping[str, Sequence[Value]],
    budgets: Sequence[float] = BUDGETS,
    **search: str,
) -> Config:
    """The training budget, which is the same for every arm: no candidate stops early, nobody is taught."""
    images = DATA[data]
    split = {"split_seed": seed} if images.split_seed else {}
    return Config.model_validate(
        {
            "name": f"{name}-{seed}",
            "seed": seed,
            "runs": str(runs),
            "data": {"source": data, **images.keywords, **split},
            "space": {"name": "tiny", "restrict": {address: list(values) for address, values in restrict.items()}},
            "limits": {"max_macs": max(budgets)},
            "search": {"trials": 36, "initial": 12, "batch": 6, "epochs": images.epochs, "audit": 1.0,
                       "predictor": "gp", "watched": "rank_by_macs", "pretrain": 0,
                       "references": "none", "prior": "none", **search},
            "family": {"max_macs": list(budgets), "contenders": 1, "repeats": 0, "finalists": 1,
                       "epochs": 2 * images.epochs, "teachers": 0, "references": False},
            "run": {"executor": "serial"},
            "tracking": {"enabled": False},
        }
    )  # fmt: skip


class WithoutExport(Experiment):
    """A search that ends with its choice, and final trainings whose networks are not exported."""

    def found(self) -> list[Candidate]:
        """The candidates to train in full, cheapest first."""
        self._beginning = self._begin()
        with self._executor() as executor:
            self._stage1(executor)
            return [finalists[0] for finalists in self._stage2(executor) if finalists]

    def _hand_over(
        self, finals: Finals, references: Finals, target: Path, page: Path, *, of: Sequence[Candidate] | None
    ) -> Family:
        finalists = enumerate(finalists_of(self._setting, finals, {}), start=1)
        return Family(members=tuple(member_of(self._setting, f"member-{n}", finalist) for n, finalist in finalists))


@contextmanager
def experiment(config: Config) -> Iterator[tuple[WithoutExport, Study]]:
    setting = prepare(config)
    save_config(config)
    write_earlier(config.folder, prior_of(config, setting.space).tables)
    study = Study(name=config.name, storage=open_storage(config.folder, None), space=setting.space, create=True)
    with (
        (config.folder / "console.log").open("w") as file,
        closing(WithoutExport(setting, study, Progress(setting.problem.budgets, Console(file=file)))) as search,
    ):
        yield search, study


def members_of(arm: str, data: str, seed: int, runs: Path) -> list[Member]:
    """Search, train what was found in full, and read the test split once."""
    whole = config(f"{arm}-final", data, seed, runs, {})
    with experiment(searched(arm, data, seed, runs)) as (search, study):
        candidates = search.found()
    ended = [record for record in study.trials() if record.is_finished]
    assert len(ended) == whole.search.trials
    assert all(len(record.reports) == whole.search.epochs for record in ended if record.message is None)
    if arm in NETWORKS:
        shapes = [network(arm, step) for step in range(len(BUDGETS))]
        assert candidates[0].architecture.items() >= local(shapes[SEARCHED]).items()
        candidates = [replace(candidates[0], architecture={**candidates[0].architecture, **local(s)}) for s in shapes]
    with experiment(whole) as (final, _):
        return list(final.train(candidates, whole.folder).members)


def searched(arm: str, data: str, seed: int, runs: Path) -> Config:
    """What an arm's search may choose, for which budgets, how, and what it begins with."""
    space: Space = components.load(components.SPACES, "tiny").space()
    if arm in NETWORKS:
        fixed = {address: [value] for address, value in network(arm, SEARCHED).items()}
        return config(arm, data, seed, runs, fixed, [BUDGETS[SEARCHED]])
    if arm in SAMPLERS:
        return config(arm, data, seed, runs, {}, sampler=arm, references="auto")
    if arm in BEGINNINGS:
        values = {"references": "auto", "prior": str(PRIORS / f"{DATA[data].prior}.json")}
        return config(arm, data, seed, runs, {}, **{key: values[key] for key in BEGINNINGS[arm]})
    return config(arm, data, seed, runs, fixed_recipe(space, {"timm": TIMM, "adamw": ADAMW}[arm]))


def local(addresses: Mapping[str, Value]) -> dict[str, Value]:
    return {address.removeprefix("architecture."): value for address, value in addresses.items()}


def fixed_recipe(space: Space, recipe: Mapping[str, Value]) -> dict[str, list[Value]]:
    """One value for every recipe dimension: the nearest on its grid; what the recipe does not name is off."""
    wanted = {**dict.fromkeys(OFF, 0.0), **recipe}
    fixed = {}
    for address, dimension in space.recipe.items():
        values = dimension.values
        if address in wanted and len(values) > 1:
            value = wanted[address]
            fixed[f"recipe.{address}"] = [value if isinstance(value, str) else nearest(values, float(value))]
    return fixed


def nearest(values: Sequence[Value], wanted: float) -> Value:
    numbers = [float(value) for value in values]
    by_ratio = min(numbers) > 0
    return values[int(np.argmin([abs(np.log(n / wanted)) if by_ratio else abs(n - wanted) for n in numbers]))]


def network(kind: str, step: int) -> dict[str, Value]:
    """Addresses of a network of the kind for a budget.

    MobileNetV3-small: squeeze-excite in the first and last stage, hard swish; scaled in width, then in resolution.
    EfficientNet-B0: squeeze-excite everywhere, SiLU; scaled in width, depth and resolution. Both without their last
    stages, which would be left with one pixel: a stem of stride 2, kernels 3, 3, 5 and expansions 1, 4, 4.
    """
    resolution, width, depth = NETWORKS[kind][step]
    widths = ((4, 8, 12), (8, 12, 16), (8, 16, 24))
    architecture: dict[str, Value] = {
        "resolution": resolution, "stem_stride": 2, "stem_width": widths[0][width], "head_expansion": 4,
        "head_width": 128, "activation": "hard_swish" if kind == "mobilenet" else "silu",
    }  # fmt: skip
    for stage in range(3):
        architecture |= {
            f"width.{stage}": widths[stage][width],
            f"depth.{stage}": depth[stage],
            f"kernel.{stage}": (3, 3, 5)[stage],
            f"expansion.{stage}": (1, 4, 4)[stage],
            f"squeeze_excite.{stage}": kind == "efficientnet" or stage != 1,
        }
    return {f"architecture.{address}": value for address, value in architecture.items()}


ARMS = (*BEGINNINGS, *SAMPLERS, "timm", "mobilenet", "efficientnet", "adamw")


@dataclass(frozen=True)
class Front:
    """Members of one search; which one serves a budget is decided on search-validation, its figure is of test."""

    macs: NDArray[np.float64]
    search: NDArray[np.float64]
    test: NDArray[np.float64]

    def within(self, budget: float) -> float:
        """Test accuracy of the member for a budget; NaN without one."""
        fits = np.flatnonzero(self.macs <= budget)
        return float(self.test[fits[np.argmax(self.search[fits])]]) if fits.size else np.nan


def macs_ratio(other: Front, joint: Front) -> float:
    """How many times the macs the other front needs, the geometric mean over the accuracies that both reach.

    Macs between members are interpolated on a logarithmic scale. NaN where no accuracy is reached by both.
    """
    low = max(other.test.min(), joint.test.min())
    high = min(other.test.max(), joint.test.max())
    if low >= high:
        return np.nan
    level_L = np.linspace(low, high, 50)
    logs = []
    for front in (other, joint):
        kept = pareto_front(front.macs, front.test)
        logs.append(np.interp(level_L, front.test[kept], np.log(front.macs[kept])))
    return float(np.exp((logs[0] - logs[1]).mean()))


def macs_ratio_of_members(other: Front, joint: Front) -> float:
    """The same without interpolation: each member of the other front against the cheapest joint one as good as it.

    Geometric mean over the other's members that a joint one matches, which sees them where ``macs_ratio`` sees none.
    """
    kept = pareto_front(other.macs, other.test)
    logs = [
        np.log(other.macs[row] / joint.macs[joint.test >= other.test[row]].min())
        for row in kept
        if (joint.test >= other.test[row]).any()
    ]
    return float(np.exp(np.mean(logs))) if logs else np.nan


def summary(rows: Sequence[Mapping[str, Front]]) -> str:
    """The table: test accuracy within each budget, and the macs of each arm over those of joint search."""
    lines = [f"n = {len(rows)} seeds, mean ± standard error"]
    for arm in rows[0]:
        cells = [spread([100 * row[arm].within(budget) for row in rows], "{:.2f}") for budget in BUDGETS]
        ratios = [[ratio(row[arm], row["joint"]) for row in rows] for ratio in (macs_ratio, macs_ratio_of_members)]
        paired = [100 * float(np.mean([row["joint"].within(b) - row[arm].within(b) for b in BUDGETS])) for row in rows]
        cells += [spread(paired, "{:+.2f}"), *(spread(ratio, "{:.2f}") for ratio in ratios)]
        lines.append(f"| {arm} | {' | '.join(cells)} |")
        for budget in BUDGETS if len(rows) > 1 and arm != "joint" else ():
            difference = [100 * (row["joint"].within(budget) - row[arm].within(budget)) for row in rows]
            lines.append(f"    {budget:,.0f}: joint - {arm} {spread(difference, '{:+.2f}')}")
    return "\n".join(lines)


def spread(values: Sequence[float], form: str) -> str:
    known = np.array(values, dtype=float)[~np.isnan(values)]
    if not known.size:
        return "none"
    error = f" ± {stats.sem(known):.2f}" if known.size > 1 else ""
    return form.format(known.mean()) + error + ("" if known.size == len(values) else f" (n {known.size})")


def test_the_ratio_of_macs_reads_fronts_as_defined() -> None:
    joint = Front(np.array([1e4, 1e5]), np.array([0.7, 0.9]), np.array([0.7, 0.9]))
    assert macs_ratio(Front(3 * joint.macs, joint.search, joint.test), joint) == pytest.approx(3)
    assert np.isnan(macs_ratio(Front(joint.macs, joint.search, joint.test - 0.5), joint))
    assert macs_ratio_of_members(Front(3 * joint.macs, joint.search, joint.test), joint) == pytest.approx(3)
    worse = Front(joint.macs, joint.search, joint.test - 0.3)  # its members reach 0.4 and 0.6: joint with 1e4
    assert macs_ratio_of_members(worse, joint) == pytest.approx(10**0.5)
    assert np.isnan(macs_ratio_of_members(Front(joint.macs, joint.search, joint.test + 0.3), joint))
    lucky = Front(np.array([1e4, 2e4]), np.array([0.8, 0.7]), np.array([0.6, 0.9]))
    assert lucky.within(3e4) == 0.6  # search-validation chooses
    assert np.isnan(lucky.within(5e3))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            "fashion_mnist",
            marks=pytest.mark.skipif(not Path(DEBIAN).is_dir(), reason="Debian's dataset-fashion-mnist is missing"),
        ),
        pytest.param("emoji", marks=needs_emoji),
    ],
)
def test_joint_against_separate(data: str, tmp_path: Path) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rows: list[dict[str, Front]] = []
    for seed in range(SEEDS):
        rows.append({})
        for arm in ARMS:
            members = members_of(arm, data, seed, tmp_path)
            parts = ("macs", "search_accuracy", "test_accuracy")
            figures = (np.array([getattr(member, part) for member in members], dtype=float) for part in parts)
            rows[-1][arm] = Front(*figures)
            found = [(m.macs, round(m.search_accuracy, 4), round(m.test_accuracy or 0, 4)) for m in members]
            recipes = [f"{m.candidate.recipe['optimizer.name']}" for m in members]
            print(
                json.dumps({"data": data, "seed": seed, "arm": arm, "members": found, "optimizers": recipes}),
                flush=True,
            )
        print(summary(rows), flush=True)
