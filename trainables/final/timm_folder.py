"""Our networks as a timm architecture: importing this registers ``nars``, so that timm's scripts fine-tune a member.

``import trainables.final.timm_folder; timm.create_model("local-dir:runs/NAME/family/member-1", pretrained=True)``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn

from spaces import components
from spaces.candidate import Candidate, keywords
from trainables.deploy import Deployable
from trainables.predict import Decoding
from trainables.preprocessing import Preprocessing, View

__all__ = ["nars", "timm_config", "write_timm_folder"]

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
) -> nn.Module:
    # timm's names of what the recipe's ingredients set; left out at 0, which not every backbone can be given.
    rates = {"dropout": drop_rate, "stochastic_depth": drop_path_rate}
    module = components.load(components.BACKBONES, backbone)
    network: nn.Module = module.build(
        classes=num_classes,
        channels=in_chans,
        **keywords(architecture),
        **{name: rate for name, rate in rates.items() if rate},
    )
    if view:
        rest = dict(view)
        see(network, StoredView(side=rest.pop("side"), view=View(**rest)))
    return network


@dataclass(frozen=True, slots=True)
class StoredView:
    """What a network sees of images of the side that they were stored with; others it takes as they are."""

    side: int
    view: View

    def __call__(self, image_NCHW: Tensor) -> Tensor:
        if image_NCHW.shape[-2:] != (self.side, self.side):
            return image_NCHW
        return self.view.of(image_NCHW)


def see(network: nn.Module, view: StoredView) -> None:
    """Let a network crop and resize its images itself, as timm's transforms cannot: its class becomes one that does."""

    def forward_features(self: Any, x: Tensor) -> Tensor:
        features: Tensor = kind.forward_features(self, x if self.stored_view is None else self.stored_view(x))
        return features

    kind: Any = type(network)
    network.__class__ = type(kind.__name__, (kind,), {"forward_features": forward_features})
    network.stored_view = view  # type: ignore[assignment]


def timm_config(
    preprocessing: Preprocessing, network: nn.Module, candidate: Candidate, classes: Sequence[str]
) -> dict[str, Any]:
    """``config.json`` of a folder that ``timm.create_model("local-dir:...")`` reads, beside ``model.safetensors``.

    Args:
        preprocessing: how images are prepared. What timm's transform leaves to do, the model does itself.
        network: the bare one, which gives the names of its first convolution and classifier.
        candidate: what it was built from.
        classes: name of each class.
    """
    convolutions = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    linears = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    channels, side, _ = preprocessing.shape
    view = preprocessing.view
    viewed = {} if view.resolution == side and view.crop == 1 else {"view": {"side": side, **asdict(view)}}
    return {
        "architecture": "nars",
        "num_classes": len(classes),
        "num_features": getattr(network, "num_features", None),
        "model_args": {
            "backbone": candidate.backbone,
            "architecture": dict(candidate.architecture),
            "in_chans": channels,
            "num_classes": len(classes),
            **viewed,
        },
        "pretrained_cfg": {
            **preprocessing.for_timm(),
            "num_classes": len(classes),
            "label_names": list(classes),
            "pool_size": None,
            "first_conv": convolutions[0] if convolutions else None,
            "classifier": linears[-1] if linears else None,
            "custom_load": False,
        },
    }


def write_timm_folder(
    network: Deployable, decoding: Decoding, candidate: Candidate, classes: Sequence[str], folder: Path
) -> None:
    """Write the weights of the network alone, and what timm needs to build it, into a folder that exists."""
    save_file(network.network.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})
    config = timm_config(network.preprocessing(decoding), network.network, candidate, classes)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
