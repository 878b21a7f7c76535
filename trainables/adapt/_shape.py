"""Which classifier a candidate's adaptation puts on its network."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from spaces import components
from spaces.candidate import Candidate
from trainables.backbones._classifiers import put_residual
from trainables.counting.forms import keywords_of


def shape_of(candidate: Candidate) -> Mapping[str, Any]:
    """Keywords of ``trainables.backbones._classifiers.put_residual``; none where the network keeps its classifier."""
    method = candidate.adaptation.get("method")
    if method is None:
        return {}
    form = components.constant(components.ADAPTATIONS, str(method), "FORM")
    if form is None:
        return {}
    own = {name.removeprefix(f"{method}."): value for name, value in candidate.adaptation.items()}
    defaults = components.parameters(components.ADAPTATIONS, str(method)).defaults
    return {name: own.get(name, defaults[name]) for name in keywords_of(form)}


def shape(network: nn.Module, candidate: Candidate) -> None:
    """Put that classifier on a candidate's network, without its preprocessing, if there is one."""
    form = shape_of(candidate)
    if form:
        put_residual(network, **form)
