"""Our networks as a timm architecture: importing this registers ``nars``, so that timm's scripts fine-tune a member.

``import trainables.final.timm_folder; timm.create_model("local-dir:runs/NAME/family/member-1", pretrained=True)``.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

from spaces import components
from spaces.candidate import Candidate, keywords
from trainables.deploy import Deployable

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


def timm_config(network: Deployable, candidate: Candidate, classes: Sequence[str]) -> dict[str, Any]:
    """``config.json`` of a folder that ``timm.create_model("local-dir:...")`` reads, beside ``model.safetensors``.

    Args:
        network: trained; says how images are prepared, and gives the names of its first convolution and classifier.
        candidate: what it was built from.
        classes: name of each class.
    """
    convolutions = [name for name, module in network.network.named_modules() if isinstance(module, nn.Conv2d)]
    linears = [name for name, module in network.network.named_modules() if isinstance(module, nn.Linear)]
    mean, std = network.normalisation
    return {
        "architecture": "nars",
        "num_classes": len(classes),
        "num_features": getattr(network.network, "num_features", None),
        "model_args": {
            "backbone": candidate.backbone,
            "architecture": dict(candidate.architecture),
            "in_chans": len(mean),
            "num_classes": len(classes),
        },
        "pretrained_cfg": {
            "input_size": [len(mean), network.resolution, network.resolution],
            "fixed_input_size": False,
            "interpolation": network.interpolation,
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


def write_timm_folder(network: Deployable, candidate: Candidate, classes: Sequence[str], folder: Path) -> None:
    """Write the weights of the network alone, and what timm needs to build it, into a folder that exists."""
    save_file(network.network.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})
    config = timm_config(network, candidate, classes)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
