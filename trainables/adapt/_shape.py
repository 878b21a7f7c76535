"""Which classifier a candidate's adaptation puts on its network."""

from collections.abc import Mapping
from inspect import signature
from typing import Any

from torch import nn

from spaces import components
from spaces.candidate import Candidate, keywords
from trainables.backbones._classifiers import put_residual


def shape_of(candidate: Candidate) -> Mapping[str, Any]:
    """Keywords of ``trainables.backbones._classifiers.put_residual``; none where the network keeps its classifier."""
    method = candidate.adaptation.get("method")
    if method is None:
        return {}
    module = components.load(components.ADAPTATIONS, str(method))
    if not hasattr(module, "shape"):
        return {}
    own = {name.removeprefix(f"{method}."): value for name, value in candidate.adaptation.items()}
    takes = signature(module.shape).parameters
    form: Mapping[str, Any] = module.shape(**keywords({name: value for name, value in own.items() if name in takes}))
    return form


def shape(network: nn.Module, candidate: Candidate) -> None:
    """Put that classifier on a candidate's network, without its preprocessing, if there is one."""
    form = shape_of(candidate)
    if form:
        put_residual(network, **form)
