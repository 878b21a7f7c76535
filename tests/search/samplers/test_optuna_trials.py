"""Trials of other people's Optuna studies: pruned, failed, partial, parallel, foreign and enqueued ones."""

import pickle
import warnings
from collections.abc import Callable

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, PartialFixedSampler, RandomSampler, TPESampler
from optuna.trial import TrialState, create_trial

from search.problem.limits import Limits
from search.samplers._optuna_trials import Reader
from search.samplers._plain_optuna import space_of
from search.samplers.nars import Sampler
from spaces.space import Condition

DECLARED: dict[str, BaseDistribution] = {
    "width": IntDistribution(8, 128, log=True),
    "optimizer": CategoricalDistribution(("adam", "sgd")),
    "momentum": FloatDistribution(0.5, 0.9, step=0.1),
    "lr": FloatDistribution(1e-4, 1.0, log=True),
    "decay": FloatDistribution(1e-6, 1e-2, log=True),
}
ROLES = {name: "architecture" if name == "width" else "recipe" for name in DECLARED}
CONDITIONS = {"momentum": Condition(parent="optimizer", values=("sgd",))}
TRIALS = 12


def costs(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"params": np.asarray(values["width"])}


def sampler(**options: object) -> Sampler:
    """A cheap one: what it proposes is about who is seen, not about how well is learnt."""
    settings: dict[str, object] = {"surrogate": "constant", "start": 3, "seed": 0}
    return Sampler.for_optuna(DECLARED, roles=ROLES, conditions=CONDITIONS, **{**settings, **options})  # type: ignore[arg-type]


def study_with(chosen: BaseSampler) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(direction="maximize", sampler=chosen)


def score(trial: optuna.Trial) -> float:
    lr, width = trial.suggest_float("lr", 1e-4, 1.0, log=True), trial.suggest_int("width", 8, 128, log=True)
    momentum = 0.9
    if trial.suggest_categorical("optimizer", ("adam", "sgd")) == "sgd":
        momentum = trial.suggest_float("momentum", 0.5, 0.9, step=0.1)
    decay = trial.suggest_float("decay", 1e-6, 1e-2, log=True)
    return float(np.log(width) - (np.log10(lr) + 2) ** 2 - 0.1 * np.log10(decay) ** 2 + momentum)


def is_pruned(trial: optuna.Trial) -> float:
    trial.report(score(trial), 1)
    raise optuna.TrialPruned


def fails(trial: optuna.Trial) -> float:
    score(trial)
    raise RuntimeError("no memory")


def is_nan(trial: optuna.Trial) -> float:
    return score(trial) * float("nan")


def is_infinite(trial: optuna.Trial) -> float:
    return -float("inf") if score(trial) < 2 else 2.0


def returns_early(trial: optuna.Trial) -> float:
    return -9.0 if trial.suggest_float("lr", 1e-4, 1.0, log=True) > 1e-3 else score(trial)


def is_pruned_early(trial: optuna.Trial) -> float:
    trial.suggest_int("width", 8, 128, log=True)
    raise optuna.TrialPruned


def after_a_few(otherwise: Callable[[optuna.Trial], float]) -> Callable[[optuna.Trial], float]:
    return lambda trial: score(trial) if trial.number < 4 else otherwise(trial)


def proposed(study: optuna.Study) -> int:
    """Different candidates that were proposed, whether or not the objective read all of them."""
    rows = [
        tuple(sorted(trial.system_attrs["nars:proposed"].items()))
        for trial in study.get_trials(deepcopy=False)
        if "nars:proposed" in trial.system_attrs
    ]
    return len(set(rows))


ENDINGS = [is_pruned, fails, is_nan, is_infinite, returns_early, is_pruned_early]


@pytest.mark.parametrize("objective", [*ENDINGS, *map(after_a_few, ENDINGS)])
def test_every_trial_is_another_candidate_however_trials_end(objective: Callable[[optuna.Trial], float]) -> None:
    study = study_with(sampler())
    study.optimize(objective, n_trials=TRIALS, catch=(RuntimeError,))
    assert proposed(study) == len(study.trials) == TRIALS


def test_as_many_different_candidates_of_one_number_as_tpe_proposes() -> None:
    different = []
    for chosen in (
        TPESampler(seed=0),
        Sampler.for_optuna(
            {"x": FloatDistribution(0, 1)}, roles={"x": "recipe"}, seed=0, start=40, surrogate="constant"
        ),
    ):
        study = study_with(chosen)
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=40)
        different.append(len({trial.params["x"] for trial in study.trials}))
    assert different == [40, 40]


def test_parallel_trials_are_different_candidates() -> None:
    study = study_with(sampler())
    study.optimize(score, n_trials=TRIALS, n_jobs=4)
    assert proposed(study) == TRIALS


def test_processes_that_begin_at_once_propose_different_candidates() -> None:
    study = study_with(sampler())
    trials = [study.ask() for _ in range(4)]
    rows = []
    for trial in reversed(trials):  # none has read yet what the earlier ones are given, each has a sampler of its own
        study.sampler = sampler()
        rows.append(score(trial))
    assert proposed(study) == 4


def test_brackets_of_a_pruner_do_not_repeat_each_other() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(
            direction="maximize",
            sampler=sampler(),
            pruner=optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3),
        )

    def objective(trial: optuna.Trial) -> float:
        value = score(trial)
        trial.report(value, 1)
        if trial.should_prune():
            raise optuna.TrialPruned
        return value

    study.optimize(objective, n_trials=TRIALS)
    assert proposed(study) == TRIALS


def test_enqueued_trials_are_completed_by_what_their_values_switch_on() -> None:
    study = study_with(sampler())
    study.enqueue_trial({"optimizer": "sgd", "width": 64})
    study.enqueue_trial({"optimizer": "adam"})
    study.enqueue_trial({"width": 999})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Optuna's, of a width out of its range
        study.optimize(score, n_trials=8)
    assert (study.trials[0].params["optimizer"], study.trials[0].params["width"]) == ("sgd", 64)
    assert study.trials[1].params["optimizer"] == "adam"
    assert study.trials[2].params["width"] == 999
    assert proposed(study) == 8


@pytest.mark.parametrize("fixed", [{"width": 16}, {"optimizer": "sgd"}, {"optimizer": "adam", "decay": 1e-4}])
def test_parameters_that_another_sampler_fixes(fixed: dict[str, object]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = study_with(PartialFixedSampler(fixed, sampler()))
    study.optimize(score, n_trials=TRIALS)
    assert len({tuple(trial.params.values()) for trial in study.trials}) == TRIALS
    assert all(fixed.items() <= trial.params.items() for trial in study.trials)


def test_a_sampler_with_a_past_is_pickled_and_proposes_the_same() -> None:
    original = sampler(costs=costs, limits=Limits(max_params=64), surrogate="gp")
    study = study_with(original)
    study.optimize(score, n_trials=6)
    copy = pickle.loads(pickle.dumps(original))
    following = []
    for chosen in (original, copy):
        study.sampler = chosen
        trial = study.ask()
        score(trial)
        following.append(trial.params)
        study.tell(trial, state=TrialState.FAIL)
        del trial
        study = copied_without_last(study)
    assert following[0] == following[1]


def copied_without_last(study: optuna.Study) -> optuna.Study:
    copied = study_with(study.sampler)
    copied.add_trials(study.trials[:-1])
    return copied


# what is learnt ------------------------------------------------------------------------------------------------------

WHOLE = {"width": 16, "optimizer": "adam", "lr": 0.01, "decay": 1e-4}


def ended(state: TrialState, value: float | None, reports: dict[int, float] | None = None, **params: object) -> object:
    values = {**WHOLE, **params}
    distributions = {**DECLARED, "width": IntDistribution(8, 2048), "depth": IntDistribution(1, 3)}
    return create_trial(
        state=state,
        value=value,
        params=values,
        distributions={name: distributions[name] for name in values},
        intermediate_values=reports,
    )


def scores_of(*trials: object, direction: str = "maximize") -> list[float]:
    study = optuna.create_study(direction=direction)
    study.add_trials(trials)  # type: ignore[arg-type]
    reader = Reader(space_of(DECLARED, ROLES, CONDITIONS))
    last = study._storage.get_trial(study._storage.create_new_trial(study._study_id))
    return reader.read(study, last).observed.score_N.tolist()


WELL = [ended(TrialState.COMPLETE, value, width=8 + round(value)) for value in (1.0, 2.0, 3.0)]


def test_failures_and_infinite_values_count_as_the_worst_that_ended_well() -> None:
    failed = ended(TrialState.FAIL, None, lr=0.1)
    infinite = ended(TrialState.COMPLETE, float("inf"), lr=1.0)
    assert scores_of(*WELL, failed, infinite) == [1.0, 2.0, 3.0, 1.0, 1.0]
    assert scores_of(*WELL, failed, direction="minimize") == [-1.0, -2.0, -3.0, -3.0]


@pytest.mark.parametrize(("report", "expected"), [(-5.0, 1.0), (1.5, 1.5), (2.9, 2.0), (float("nan"), 1.0)])
def test_pruned_trials_count_as_their_last_report_within_what_an_end_may_be(report: float, expected: float) -> None:
    pruned = ended(TrialState.PRUNED, None, {0: 9.0, 3: report} if np.isfinite(report) else {0: report}, lr=0.1)
    assert scores_of(*WELL, pruned)[-1] == expected


def test_a_failure_says_nothing_where_the_same_candidate_ended_well() -> None:
    assert scores_of(*WELL, ended(TrialState.FAIL, None, width=10)) == [1.0, 2.0, 3.0]


def test_trials_of_another_search_are_left_out() -> None:
    random = RandomSampler(seed=0)
    lacking = optuna.create_study(sampler=random)
    lacking.optimize(lambda trial: float(trial.suggest_int("width", 8, 128)), n_trials=1)
    beyond = ended(TrialState.COMPLETE, 50.0, width=1024)
    more = ended(TrialState.COMPLETE, 2.5, width=40, depth=2)  # says more than is declared
    assert scores_of(*WELL, lacking.trials[0], beyond, more) == [1.0, 2.0, 3.0, 2.5]


def test_a_study_begun_by_another_sampler_goes_on() -> None:
    study = study_with(TPESampler(seed=0))
    study.optimize(score, n_trials=5)
    study.optimize(lambda trial: float(trial.suggest_int("width", 8, 128, log=True)), n_trials=2)
    study.sampler = sampler()
    study.optimize(score, n_trials=4)
    assert all(trial.state == TrialState.COMPLETE for trial in study.trials)
    assert proposed(study) == 4


@pytest.mark.slow
def test_the_sampler_learns_where_trials_fail() -> None:
    study = study_with(sampler(surrogate="gp", start=6))

    def objective(trial: optuna.Trial) -> float:
        value = score(trial)
        return float("nan") if trial.params["width"] > 30 else value

    study.optimize(objective, n_trials=30)
    late = [trial.params["width"] for trial in study.trials[15:]]
    assert sum(width > 30 for width in late) < len(late) / 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": None}, "seed is a whole number from 0, given None"),
        ({"seed": -1}, "given -1"),
        ({"seed": 1.5}, "given 1.5"),
        ({"conditions": {"momentum": Condition(parent="nobody", values=(1,))}}, "names 'nobody', which is none of"),
        ({"conditions": {"nobody": Condition(parent="optimizer", values=("sgd",))}}, "names 'nobody'"),
        ({"costs": lambda values: {"params": 5.0}}, r"'params': 5.0"),
        ({"costs": lambda values: {"params": list(values["width"])}}, r"'params': \["),
        ({"costs": lambda values: values["width"]}, r"given an array int\d+ \(1,\)"),
        ({"costs": lambda values: {"params": values["width"] * np.nan}}, r"'params': an array float64 \(1,\)"),
        ({"costs": costs, "limits": Limits(max_macs=5)}, "limits bound macs, and costs= returns params"),
        ({"costs": costs, "budgets": (Limits(max_params=64), Limits(max_params=16))}, "tightest first: max_params 64"),
        ({"roles": ["architecture"]}, "dictionaries by the name"),
        ({"distributions": {"width": 5}}, "'width' is to be a distribution"),
    ],
)
def test_what_a_script_declares_wrongly_is_a_sentence_before_its_first_trial(
    options: dict[str, object], words: str
) -> None:
    settings: dict[str, object] = {"distributions": DECLARED, "roles": ROLES, "seed": 0}
    with pytest.raises(ValueError, match=words):
        Sampler.for_optuna(**{**settings, **options})  # type: ignore[arg-type]
