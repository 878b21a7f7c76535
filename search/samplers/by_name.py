"""Samplers by name: the files of this folder, and Optuna's own."""

from search.samplers.protocol import Offer, Proposer
from spaces import components

OPTUNA = ("random", "qmc", "tpe", "gp", "nsga2")
"""Optuna's own samplers (``search.samplers._optuna``)."""


def names() -> tuple[str, ...]:
    """Every sampler that ``build`` knows: the files in ``search/samplers``, then Optuna's own."""
    return (*components.names(components.SAMPLERS), *OPTUNA)


def transferring() -> tuple[str, ...]:
    """The samplers that can use earlier searches."""
    files = components.names(components.SAMPLERS)
    return tuple(name for name in files if components.constant(components.SAMPLERS, name, "TRANSFERS"))


def build(name: str, offer: Offer) -> Proposer:
    """A sampler for what is offered.

    Raises:
        UnknownComponent: no such sampler.
        Mistake: what the sampler cannot use.
    """
    if name not in names():
        raise components.UnknownComponent(f"there is no sampler '{name}'; there are: {', '.join(names())}")
    if name in OPTUNA:
        from search.samplers._optuna import OptunaSampler  # as late as a file's: the names alone need no optuna

        return OptunaSampler(name, offer)
    proposer: Proposer = components.load(components.SAMPLERS, name).Sampler(offer)
    return proposer
