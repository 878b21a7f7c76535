"""What ``python -m search init`` does: look at the images, measure the machine, write a configuration."""

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from rich.console import Console
from scipy.optimize import nnls

from search.console.lines import tell
from search.console.remaining import Plan, Work
from search.errors import UsageError
from search.files import write_if_absent
from search.problem.feasible import smallest
from search.problem.references import of_space
from search.setting.config import parse
from search.setting.problem import costs_of
from search.setting.sections.family import FamilySection
from search.setting.sections.search import SearchSection
from search.setting.sections.weights import WeightsSection
from search.setting.setting import prepare
from search.words import amount, as_called, duration
from spaces import components
from spaces.sampling import uniform
from spaces.space import Space
from spaces.translation import codes_of
from trainables.data.photo_folders import part_of
from trainables.data.sources import load_source
from trainables.splits import Images, Splits
from trainables.training.trial import Task, trial

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FIRST_SIDE = 32
"""Pixels to which images are decoded before it is known how large they are; the largest of space ``tiny``."""
LARGE = 96
"""Median of the shorter sides from which on pretrained networks are worth their macs."""
MEASURED = 256
"""Training images at most on which the machine's speed is measured."""
BUDGETS = 5
LIMITS = (1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 2e7, 5e7, 1e8, 2e8, 5e8)
SHORTER = ((40, 16, 8, 10, 20), (24, 12, 6, 6, 12), (16, 8, 4, 4, 8))
"""Trials, first ones, trials a round, epochs of a trial and of a final training, longest first."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """Where images are, and how they are read."""

    source: str
    keywords: dict[str, Any]
    splits: Splits

    @property
    def side(self) -> int:
        """Median of the shorter sides of the files, in pixels."""
        survey = self.splits.survey
        return self.splits.resolution if survey is None else survey.median_side()


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A space and what of it fits the images."""

    name: str
    why: str
    restrict: dict[str, list[Any]]
    weights: dict[str, Any]

    @property
    def space(self) -> Space:
        space: Space = components.load(components.SPACES, self.name).space()
        return space.restrict(self.restrict)


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Seconds of an epoch on all training images, with evaluation: ``fixed + each * macs``."""

    fixed: float
    each: float

    def seconds(self, works: list[Work], usual: Work) -> float:
        """Of trainings one after the other; ``usual`` stands for what a work leaves open."""
        pairs = [(one.macs or usual.macs or 0.0, one.epochs or usual.epochs or 0.0) for one in works]
        return sum((self.fixed + self.each * macs) * epochs for macs, epochs in pairs)


def write_configuration(path: str, to: Path | None, minutes: float) -> None:
    """Look at ``path``, write a configuration and say what it holds; raises as ``init``."""
    if not (math.isfinite(minutes) and minutes > 0):
        raise UsageError(f"--minutes is a number above 0, given {minutes:g}")
    name = (
        re.sub(r"[^A-Za-z0-9._-]+", "-", Path(path).expanduser().absolute().name.split(".")[0]).strip("-._") or "data"
    )
    target = to or Path(f"{name}.yaml")
    if target.exists():
        raise UsageError(f"'{target}' exists; name another file with --to, or remove it")
    data = look(path)
    choice = choose(data)
    data = at_resolution(data, max(choice.restrict["architecture.resolution"]), choice.weights)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    speed, least = measure(data.splits, choice)
    plan, seconds = fit(choice, speed, least, minutes * 60, cores, _most(choice, data.splits))
    text = document(name, data, choice, plan, seconds, cores)
    prepare(parse(text, str(target)))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_if_absent(target, text)
    except OSError as error:
        raise UsageError(f"cannot write '{target}': {error.strerror or error}") from error
    _say(target, data, choice, plan, seconds, cores)
    if seconds > 60 * minutes:
        tell(f"That is longer than {minutes:g} minutes: no smaller search is worth it; fewer images or a GPU help.")


# the images ----------------------------------------------------------------------------------------------------------


def look(path: str) -> Data:
    """The images at a place, small.

    Raises:
        UsageError: there is nothing.
        DataError: they cannot be used.
    """
    source, keywords = source_of(path)
    splits = load_source(source, keywords | {"resolution": FIRST_SIDE})
    survey = splits.survey
    if survey is not None and survey.modes and set(survey.modes) <= {"1", "L", "I;16", "I", "F"}:
        keywords["grey"] = True
    return Data(source=source, keywords=keywords, splits=splits)


def source_of(path: str) -> tuple[str, dict[str, Any]]:
    """The data source that reads a path, and its keywords.

    Raises:
        UsageError: there is nothing.
    """
    folder = Path(path).expanduser()
    if "://" in path or folder.suffix == ".tar" or any(sign in path for sign in "*{"):
        return "webdataset", {"path": path}
    if not folder.is_dir():
        raise UsageError(f"'{path}' is no folder; give the folder that holds one folder of images for each class")
    folder = folder.absolute()
    if any((folder / name).is_file() for name in ("dataset_dict.json", "dataset_info.json")) or any(
        folder.glob("*.parquet")
    ):
        return "huggingface", {"path": str(folder)}
    shards = sorted(shard.name for shard in folder.glob("*.tar"))
    if not shards:
        return "folder", {"path": str(folder)}
    parts: dict[str, str] = {}
    for shard in shards:
        word = re.split(r"[^A-Za-z]", shard, maxsplit=1)[0]
        parts.setdefault(part_of(word) or "train", word)
    keys = {"train": "path", "validation": "validation_path", "test": "test_path"}
    return "webdataset", {keys[part]: f"{folder}/{word}*.tar" for part, word in parts.items()}


def at_resolution(data: Data, side: int, weights: Mapping[str, Any]) -> Data:
    """The images as the configuration stores them, with the weights that it names."""
    keywords = data.keywords | {"resolution": side}
    sources = {name: WeightsSection.model_validate(entry).source for name, entry in weights.items()}
    splits = replace(load_source(data.source, keywords), weights=sources)
    return replace(data, keywords=keywords, splits=splits)


# the space -----------------------------------------------------------------------------------------------------------


def choose(data: Data) -> Choice:
    """Pretrained networks for photographs where their weights are on this machine, else small networks from scratch."""
    weights = _weights() if data.side >= LARGE and not data.keywords.get("grey") else {}
    if weights:
        sides = [side for side in (64, 80, 96, 112) if side <= data.side]
        names = sorted(entry["model"] for entry in weights.values())
        return Choice(
            name="finetune_small",
            why="pretrained EfficientNet-Lite networks, and how they are fine-tuned",
            restrict={"architecture.name": names, "architecture.resolution": sides},
            weights=weights,
        )
    sides = [side for side in (8, 12, 16, 20, 24, 28, 32) if side <= max(data.side, 8)][-3:]
    why = "small networks, trained from scratch"
    if data.side >= LARGE:
        why += "; pretrained ones know more of photographs, see configs/stamps.yaml (CPU) and configs/photos.yaml (GPU)"
    return Choice(name="tiny", why=why, restrict={"architecture.resolution": list(sides)}, weights={})


def _weights() -> dict[str, Any]:
    """The entries of configs/stamps.yaml whose packages are installed."""
    entries = yaml.safe_load((CONFIGS / "stamps.yaml").read_text(encoding="utf-8"))["weights"]
    package = {name: entry["path"].removeprefix("package:").partition("/")[0] for name, entry in entries.items()}
    return {name: entry for name, entry in entries.items() if find_spec(package[name]) is not None}


# the machine ---------------------------------------------------------------------------------------------------------


def measure(splits: Splits, choice: Choice) -> tuple[Speed, float]:
    """The machine's speed, from a little training of the space's smallest and a larger reference; the least macs."""
    space = choice.space
    costs = costs_of(space, splits, None)
    inside = []
    for one in of_space(choice.name):
        if all(one.candidate.architecture[key.partition(".")[2]] in kept for key, kept in choice.restrict.items()):
            inside.append(one.candidate)
    macs_N = costs(np.stack([codes_of(space, candidate) for candidate in inside]))["macs"]
    order = np.argsort(macs_N)
    rows = [int(order[0]), int(order[len(order) * 3 // 4])]
    few = _few(splits)
    share = len(splits.train) / len(few.train)
    seconds = []
    for row in rows:
        reports = list(trial(Task(candidate=inside[row], epochs=2, seed=0), few, device=_device()))
        seconds.append(share * max(1e-3, reports[-1].seconds - reports[0].seconds))  # the first epoch warms up
    matrix = np.stack([np.ones(2), macs_N[rows].astype(float)], axis=1)
    (fixed, each), _ = nnls(matrix, np.array(seconds))
    return Speed(fixed=float(fixed), each=float(each)), smallest(space, costs, "macs")


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _few(splits: Splits) -> Splits:
    share = min(1.0, MEASURED / len(splits.train))

    def some(images: Images) -> Images:
        count = max(2, round(share * len(images)))
        rows_N: NDArray[np.int64] = np.linspace(0, len(images) - 1, num=min(count, len(images)), dtype=np.int64)
        return images.take(rows_N)

    return replace(splits, train=some(splits.train), validation=some(splits.validation))


def _most(choice: Choice, splits: Splits) -> float:
    """Macs that nine of ten candidates do not exceed."""
    rng = np.random.default_rng(0)
    space = choice.space
    return float(np.quantile(costs_of(space, splits, None)(uniform(space, 512, rng))["macs"], 0.9))


def fit(choice: Choice, speed: Speed, least: float, seconds: float, cores: int, most: float) -> tuple[Plan, float]:
    """The largest search whose training takes about so many seconds on so many cores, and how many it takes."""
    at_once = 1 if torch.cuda.is_available() else cores
    options = []
    limits = [limit for limit in LIMITS if 1.5 * least <= limit <= 2 * most] or [max(1.5 * least, most)]
    for trials, initial, batch, epochs, final in SHORTER:
        for limit in reversed(limits):
            plan = Plan(
                search=SearchSection(trials=trials, initial=initial, batch=batch, epochs=epochs),
                family=FamilySection(max_macs=budgets(least, limit), contenders=2, repeats=0, epochs=final),
                budgets=budgets(least, limit),
                references=budgets(least, limit),
            )
            usual = Work(limit / 3, epochs)
            needed = speed.seconds([usual] * trials, usual) + speed.seconds(plan.finals(), usual)
            options.append((plan, needed / at_once))
    fitting = [option for option in options if option[1] <= seconds]
    return fitting[0] if fitting else min(options, key=lambda option: option[1])


def budgets(least: float, most: float) -> list[float]:
    """Budgets evenly spaced in the logarithm, in round numbers."""
    first = least * min(2.0, (most / least) ** (1 / BUDGETS))
    rounded = {float(f"{budget:.1g}") for budget in np.geomspace(first, most, BUDGETS)[:-1]}
    return sorted({budget for budget in rounded if least <= budget < most} | {most})


# the file ------------------------------------------------------------------------------------------------------------


def document(name: str, data: Data, choice: Choice, plan: Plan, seconds: float, cores: int) -> str:
    """The configuration, with comments."""
    splits, search, family = data.splits, plan.search, plan.family
    sizes = f"{len(splits.train):,} to train, {len(splits.validation):,} for search-validation, {len(splits.test):,}"
    gpus = (
        "  gpus: 1                # of a trial; below 1, several trials share one\n"
        if torch.cuda.is_available()
        else ""
    )
    where = "a GPU" if gpus else f"{cores} cores"
    weights = "" if not choice.weights else "\n" + yaml.safe_dump({"weights": choice.weights}, sort_keys=False)
    keywords = "".join(f"  {key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in data.keywords.items())
    restrict = "".join(f"    {key}: [{', '.join(map(str, kept))}]\n" for key, kept in choice.restrict.items())
    listed = ", ".join(amount(budget) for budget in plan.budgets)
    return f"""\
# {len(splits.classes)} classes; images: {sizes} to test.
# Half of the images have a shorter side of {data.side} pixels or less.
# About {duration(seconds)} of training on {where}, by a short measurement when this was written.
name: {name}
seed: 0

data:
  source: {data.source}
{keywords}  # resolution: side of the stored square images in pixels; networks see at most as many
  validation: 0.2        # share for search-validation, whose accuracy guides the search, if the data has no such part
  test: 0.2              # share for the final figures, read once at the end, likewise

space:
  name: {choice.name}            # {choice.why}
  restrict:
{restrict}{weights}
limits:
  max_macs: {amount(plan.budgets[-1])}         # multiply-accumulates of one image; no candidate beyond is ever trained

search:
  trials: {search.trials}             # more find better networks: 40 to 200 are usual
  initial: {search.initial}            # before the predictor chooses
  batch: {search.batch}
  epochs: {search.epochs}             # of a trial; bad ones end earlier

family:
  max_macs: [{listed}]    # one network for each
  contenders: {family.contenders}
  repeats: {family.repeats}
  epochs: {family.epochs}             # of the final trainings; more are better on much data

run:
  executor: {"ray_tune" if cores > 1 else "serial"}     # serial: one trial after the other, without Ray
{gpus}"""


def _say(target: Path, data: Data, choice: Choice, plan: Plan, seconds: float, cores: int) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    splits = data.splits
    console.print(
        f"data:   {data.source}, {len(splits.classes)} classes, {len(splits.train):,} images to train, sides of "
        f"{data.side} pixels; stored at {splits.resolution}"
    )
    console.print(f"space:  {choice.name}: {choice.why}")
    console.print(f"family: budgets of {', '.join(map(amount, plan.budgets))} macs")
    console.print(
        f"time:   {plan.search.trials} trials and final training take about {duration(seconds)} on {cores} cores"
    )
    console.print(as_called(f"next:   python -m search check {target}\n        python -m search run {target}"))
