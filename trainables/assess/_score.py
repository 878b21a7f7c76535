"""What trials are judged by on search-validation: accuracy, a figure of an evaluation, or a weighted mean of some."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from spaces import components
from trainables.assess import Assessment
from trainables.deploy import Deployable
from trainables.job import ACCURACY, OF_EVALUATION
from trainables.splits import DataError, Splits

Weights = tuple[tuple[str, float], ...]
"""Names, each ``accuracy`` or ``assess.EVALUATION.METRIC``, with weights whose sum is 1; none for accuracy alone."""


def figures(weights: Weights, network: Deployable, splits: Splits, accuracy: float) -> list[float]:
    """The figure of each name, by the evaluations' cheap forms on search-validation images.

    Args:
        weights: which.
        network: judged.
        splits: the data, whose test split stays sealed.
        accuracy: of the network on search-validation.

    Raises:
        DataError: these data give no such figure.
    """
    sealed = replace(splits, test=splits.validation)
    names = [name for name, _ in weights]
    said = {one: _whole(one, network, sealed) for one in dict.fromkeys(_evaluation(name) for name in names) if one}
    return [accuracy if name == ACCURACY else _figure(name, said) for name in names]


def score_of(weights: Weights, values: Sequence[float]) -> float:
    """The weighted mean of figures, of which those that are better low count as what they lack to 1."""
    return sum(
        weight * (value if _is_high(name) else 1 - value) for (name, weight), value in zip(weights, values, strict=True)
    )


def _evaluation(name: str) -> str:
    return name.removeprefix(OF_EVALUATION).partition(".")[0] if name.startswith(OF_EVALUATION) else ""


def _metric(name: str) -> str:
    return name.removeprefix(OF_EVALUATION).partition(".")[2]


def _is_high(name: str) -> bool:
    if name == ACCURACY:
        return True
    better: Mapping[str, str] = components.load(components.EVALUATIONS, _evaluation(name)).BETTER
    return better[_metric(name)] == "high"


def _whole(evaluation: str, network: Deployable, splits: Splits) -> Mapping[str, float | str]:
    """By metric its figure of all images, or why there is none."""
    module = components.load(components.EVALUATIONS, evaluation)
    assessment: Assessment = module.assess(network, splits, seed=0, **module.IN_SEARCH)
    whole = {one.metric: one.value for one in assessment.measures if not one.part}
    reasons = {one.metric: one.part for one in assessment.measures if math.isnan(one.value)}
    return {**reasons, **whole}


def _figure(name: str, said: Mapping[str, Mapping[str, float | str]]) -> float:
    value = said[_evaluation(name)].get(_metric(name), "it is not measured")
    if isinstance(value, str):
        raise DataError(f"search.score: '{name}' has no value on the search-validation images: {value}")
    return value
