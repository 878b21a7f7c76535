"""Optuna's own public suite for samplers, run on ours.

The sampler declares its parameters beforehand, so the fixture declares those that a test of the suite suggests. What
the suite demands beyond the sampler's contract is taken out below, one reason each.
"""

from collections.abc import Callable, Mapping
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    RelativeSamplerTestCase,
    SingleOnlySamplerTestCase,
)

from search.samplers.nars import Sampler
from spaces.space import Condition

Declared = Mapping[str, BaseDistribution]

SUGGESTED: Mapping[str, Declared] = {
    "test_nan_objective_value": {"x": FloatDistribution(0.1, 0.2)},
    "test_partial_fixed_sampling": {
        "x": FloatDistribution(-1, 1),
        "y": IntDistribution(-1, 1),
        "z": FloatDistribution(-1, 1),
    },
    "test_sample_single_distribution": {
        "a": CategoricalDistribution([1]),
        "b": IntDistribution(low=1, high=1),
        "c": IntDistribution(low=1, high=1, log=True),
        "d": FloatDistribution(low=1.0, high=1.0),
        "e": FloatDistribution(low=1.0, high=1.0, log=True),
        "f": FloatDistribution(low=1.0, high=1.0, step=1.0),
    },
    "test_conditional_parameter_objective": {
        "x": CategoricalDistribution([True, False]),
        "y": FloatDistribution(0, 1),
        "z": FloatDistribution(0, 1),
    },
    "test_sample_relative_categorical": {
        "x": CategoricalDistribution([1, 10, 100]),
        "y": CategoricalDistribution([-1, -10, -100]),
    },
    "test_trial_relative_params": {"x": FloatDistribution(-10, 10), "y": FloatDistribution(-10, 10)},
    "test_raise_error_for_samplers_during_multi_objectives": {"x": FloatDistribution(0.0, 1.0)},
}
"""What each test of the suite suggests that does not say so in its own parameters."""

CONDITIONS = {
    "test_conditional_parameter_objective": {
        "y": Condition(parent="x", values=(True,)),
        "z": Condition(parent="x", values=(False,)),
    }
}


def declared(name: str, parameters: Mapping[str, Any]) -> Declared:
    if name in SUGGESTED:
        return SUGGESTED[name]
    methods = {key.removeprefix("suggest_method_"): value for key, value in parameters.items() if "suggest_" in key}
    if methods:
        return {key: distribution_of(key, method) for key, method in methods.items()}
    distributions = {key.removesuffix("_distribution"): value for key, value in parameters.items()}
    return {**distributions, **({} if "y" in distributions else {"y": CategoricalDistribution([-1, -10, -100])})}


def distribution_of(name: str, suggest: Callable[[optuna.Trial], object]) -> BaseDistribution:
    """The distribution that a function of a trial suggests."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    suggest(study.ask())
    return study.trials[0].distributions[name]


class Declaring:
    @pytest.fixture
    def sampler(self, request: pytest.FixtureRequest) -> Callable[[], BaseSampler]:
        name = request.node.originalname
        parameters = getattr(request.node, "callspec", None)
        distributions = declared(name, {} if parameters is None else parameters.params)
        return lambda: Sampler.for_optuna(
            distributions,
            roles=dict.fromkeys(distributions, "recipe"),
            conditions=CONDITIONS.get(name, {}),
            seed=0,
            start=3,
        )


class TestRelative(Declaring, RelativeSamplerTestCase):
    # 36 pairs of distributions; five mixed ones are in the suite of every commit
    test_sample_relative_numerical = pytest.mark.nightly(RelativeSamplerTestCase.test_sample_relative_numerical)


class TestOneObjectiveOnly(Declaring, SingleOnlySamplerTestCase):
    pass


class TestBasic(Declaring, BasicSamplerTestCase):
    # Parameters that were not declared are refused, in a sentence, and the suite samples such ones by themselves.
    test_float = None
    test_int = None
    test_categorical = None
    test_conditional_sample_independent = None
    # A range that changes from trial to trial is another declaration, refused as well.
    test_dynamic_range_objective = None
    # 36 pairs again
    test_combination_of_different_distributions_objective = pytest.mark.nightly(
        BasicSamplerTestCase.test_combination_of_different_distributions_objective
    )
