"""The folder that timm reads: weights, and ``config.json`` on how to build the network and to prepare its images.

``timm.create_model("local-dir:FOLDER", pretrained=True)`` reads it after
``import trainables.teachers.timm_architecture``.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from safetensors.torch import save_file
from torch import nn

from spaces.candidate import Candidate
from trainables.adapt._shape import shape_of
from trainables.decoding import Decoding
from trainables.deploy import Backbone, Deployable
from trainables.preprocessing import Preprocessing
from trainables.teachers.timm_architecture import nars

__all__ = ["nars", "timm_config", "write_timm_folder"]


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
    channels, side, _ = preprocessing.shape
    view = preprocessing.view
    form = shape_of(candidate)
    viewed = {} if view.resolution == side and view.crop == 1 else {"view": {"side": side, **asdict(view)}}
    return {
        "architecture": nars.__name__,
        "num_classes": len(classes),
        "num_features": getattr(network, "num_features", None),
        "model_args": {
            "backbone": candidate.backbone,
            "architecture": dict(candidate.architecture),
            "in_chans": channels,
            "num_classes": len(classes),
            **viewed,
            **({"classifier": dict(form)} if form else {}),
        },
        "pretrained_cfg": {
            **preprocessing.for_timm(),
            "num_classes": len(classes),
            "label_names": list(classes),
            "pool_size": None,
            "first_conv": convolutions[0] if convolutions else None,
            "classifier": _classifier(network),
            "custom_load": False,
        },
    }


def _classifier(network: nn.Module) -> str | None:
    """Name of the last layer, which timm makes anew for other classes: of a classifier with several, its last."""
    own = cast(Backbone, network).get_classifier() if hasattr(network, "get_classifier") else None
    named = [name for name, module in network.named_modules() if module is own]
    linears = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    of_own = [name for name in linears if named and name.startswith(f"{named[0]}.")]
    return next(iter(of_own[-1:] or named or linears[-1:]), None)


def write_timm_folder(
    network: Deployable, decoding: Decoding, candidate: Candidate, classes: Sequence[str], folder: Path
) -> None:
    """Write the weights of the network alone, and what timm needs to build it, into a folder that exists."""
    save_file(network.network.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})
    config = timm_config(network.preprocessing(decoding), network.network, candidate, classes)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
