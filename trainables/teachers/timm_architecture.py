"""Our networks as a timm architecture: importing this registers ``nars``, so that timm's scripts fine-tune a member.

A member's ``nars_timm.py`` holds this file and all that it imports, so it imports no more than building needs.
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn

from spaces.candidate import keywords
from spaces.mistake import Mistake
from trainables import backbones
from trainables.backbones._classifiers import put_residual
from trainables.preprocessing import View

__all__ = ["StoredView", "nars"]

default_cfgs = generate_default_cfgs({"nars.untrained": {"first_conv": "", "classifier": ""}})


@register_model  # type: ignore[untyped-decorator]
def nars(pretrained: bool = False, **options: Any) -> nn.Module:
    """A network of one of our backbones; ``backbone`` and ``architecture`` come from the folder's ``config.json``."""
    network: nn.Module = build_model_with_cfg(_build, "nars", pretrained, **options)
    return network


def _build(
    *,
    backbone: str,
    architecture: Mapping[str, Any],
    num_classes: int,
    in_chans: int,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
    view: Mapping[str, Any] | None = None,
    classifier: Mapping[str, Any] | None = None,
) -> nn.Module:
    # timm's names of what the recipe's ingredients set; left out at 0, which not every backbone can be given.
    rates = {"dropout": drop_rate, "stochastic_depth": drop_path_rate}
    network: nn.Module = _module(backbone).build(
        classes=num_classes,
        channels=in_chans,
        **keywords(architecture),
        **{name: rate for name, rate in rates.items() if rate},
    )
    if classifier:
        put_residual(network, **classifier)
    if view:
        rest = dict(view)
        _see(network, StoredView(side=rest.pop("side"), view=View(**rest)))
    return network


def _module(backbone: str) -> Any:
    """The file of a backbone, here or among those that a member brings along."""
    name = f"{backbones.__name__}.{backbone}"
    if not backbone.isidentifier() or importlib.util.find_spec(name) is None:
        raise Mistake(f"'{backbone}' is no backbone of this version of NARS, so that its network cannot be built")
    return importlib.import_module(name)


@dataclass(frozen=True, slots=True)
class StoredView:
    """What a network sees of images of the side that they were stored with; others it takes as they are."""

    side: int
    view: View

    def __call__(self, image_NCHW: Tensor) -> Tensor:
        if image_NCHW.shape[-2:] != (self.side, self.side):
            return image_NCHW
        return self.view.of(image_NCHW)


def _see(network: nn.Module, view: StoredView) -> None:
    """Let a network crop and resize its images itself, as timm's transforms cannot: its class becomes one that does."""

    def forward_features(self: Any, x: Tensor, **options: Any) -> Tensor:
        # timm's transformers pass the mask of their attention
        seen = x if self.stored_view is None else self.stored_view(x)
        features: Tensor = kind.forward_features(self, seen, **options)
        return features

    kind: Any = type(network)
    network.__class__ = type(kind.__name__, (kind,), {"forward_features": forward_features})
    network.stored_view = view  # type: ignore[assignment]
