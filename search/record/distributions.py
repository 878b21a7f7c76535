"""Optuna's names for our dimensions."""

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from spaces.dimensions import Choice, Dimension, Integer


def distribution(dimension: Dimension) -> BaseDistribution:
    """The distribution whose values contain those of a dimension; Optuna knows no logarithmic integers in steps."""
    if isinstance(dimension, Choice):
        return CategoricalDistribution(dimension.values)
    if isinstance(dimension, Integer):
        step = 1 if dimension.log else dimension.step
        return IntDistribution(dimension.low, dimension.high, log=dimension.log, step=step)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
