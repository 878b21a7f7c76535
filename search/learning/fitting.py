"""Predictors on candidates of a problem: built by name, pretrained, fitted and asked, all by rows of codes."""

import numpy as np
from numpy.typing import NDArray

from predictors.protocol import Prediction, Predictor
from search.problem.problem import Observations, Problem
from spaces import components
from spaces.encoding import encode, layout
from spaces.mistake import Mistake
from spaces.space import Codes


def columns(problem: Problem, codes_ND: Codes) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """What predictors see of candidates: encoded choices x_NF and free statistics s_NK."""
    return encode(problem.space, codes_ND), problem.statistics(codes_ND)


def check(name: str, problem: Problem) -> None:
    """Whether a predictor can be built for a problem.

    Raises:
        UnknownComponent: no such predictor.
        Mistake: it needs the logarithm of a cost that is not among the problem's statistics.
    """
    missing = [cost for cost in components.load(components.PREDICTORS, name).NEEDS if cost not in problem.logarithms]
    if missing:
        raise Mistake(
            f"the predictor '{name}' needs {' and '.join(missing)}; the statistics of space '{problem.space.name}' "
            f"tell {' and '.join(problem.logarithms) or 'no cost'}: choose another predictor"
        )


def build(name: str, problem: Problem, rng: np.random.Generator) -> Predictor:
    """A predictor that knows nothing yet.

    Args:
        name: file in ``predictors``.
        problem: gives the columns.
        rng: the predictor's only source of randomness.

    Raises:
        UnknownComponent, Mistake: as ``check``.
    """
    check(name, problem)
    module = components.load(components.PREDICTORS, name)
    columns_of = {cost: problem.logarithms[cost] for cost in module.NEEDS}
    predictor: Predictor = module.Model(layout=layout(problem.space), rng=rng, **columns_of)
    return predictor


def pretrain(predictor: Predictor, problem: Problem, free_ND: Codes) -> None:
    """Show candidates whose scores are not known."""
    predictor.pretrain(*columns(problem, free_ND))


def fit(predictor: Predictor, problem: Problem, observed: Observations) -> None:
    """Fit to all scores known so far."""
    predictor.fit(*columns(problem, observed.codes_ND), observed.score_N)


def predict(predictor: Predictor, problem: Problem, codes_ND: Codes) -> Prediction:
    """What the predictor says of candidates."""
    return predictor.predict(*columns(problem, codes_ND))


def learn(
    name: str, problem: Problem, observed: Observations, *, rng: np.random.Generator, free_ND: Codes | None = None
) -> Predictor:
    """A new predictor, pretrained on free candidates (if there are any) and fitted to the observations.

    Raises:
        UnknownComponent, Mistake: as ``check``.
    """
    predictor = build(name, problem, rng)
    if free_ND is not None:
        pretrain(predictor, problem, free_ND)
    fit(predictor, problem, observed)
    return predictor
