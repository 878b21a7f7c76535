"""Our networks as a timm architecture: importing this registers ``nars``, so that timm's scripts fine-tune a member.

``import trainables.final.timm_folder; timm.create_model("local-dir:runs/NAME/family/member-1", pretrained=True)``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

from spaces import components
from spaces.candidate import Candidate, keywords

__all__ = ["nars", "timm_config"]

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
    return network


def timm_config(
    network: nn.Module,
    candidate: Candidate,
    *,
    channels: int,
    resolution: int,
    mean: Sequence[float],
    std: Sequence[float],
    classes: Sequence[str],
    interpolation: str = "bilinear",
) -> dict[str, Any]:
    """``config.json`` of a folder that ``timm.create_model("local-dir:...")`` reads, beside ``model.safetensors``.

    Args:
        network: the trained network, for the names of its first convolution and its classifier.
        candidate: what it was built from.
        channels, resolution, mean, std: the images that it takes, after resizing.
        classes: name of each class.
        interpolation: how they are resized.
    """
    convolutions = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    linears = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    return {
        "architecture": "nars",
        "num_classes": len(classes),
        "num_features": getattr(network, "num_features", None),
        "model_args": {
            "backbone": candidate.backbone,
            "architecture": dict(candidate.architecture),
            "in_chans": channels,
            "num_classes": len(classes),
        },
        "pretrained_cfg": {
            "input_size": [channels, resolution, resolution],
            "fixed_input_size": False,
            "interpolation": interpolation,
            "crop_pct": 1.0,
            "crop_mode": "squash",
            "mean": list(mean),
            "std": list(std),
            "num_classes": len(classes),
            "label_names": list(classes),
            "pool_size": None,
            "first_conv": convolutions[0] if convolutions else None,
            "classifier": linears[-1] if linears else None,
            "custom_load": False,
        },
    }
