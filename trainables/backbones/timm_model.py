"""Any model of timm by its name. It is built without weights, and says which ones training is to begin with.

There is no formula for them: a model is built and traced once per (timm version, name, resolution, classes, channels),
and the result kept on disk in ``$NARS_CACHE`` (by default ``~/.cache/nars``).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.candidate import NO_WEIGHTS
from trainables.counting.counts import Counts, Statistics
from trainables.stored import machine_cache, write_whole

if TYPE_CHECKING:
    from torch import nn

TRACED = True
FEATURES = ("map", "tokens")
"""Depending on the model."""


def build(
    *,
    classes: int,
    channels: int,
    name: str,
    resolution: int,
    weights: str | Mapping[str, str] = NO_WEIGHTS,
    dropout: float = 0.0,
    stochastic_depth: float = 0.0,
) -> "nn.Module":
    """Build ``timm.create_model(name)``.

    Args:
        classes: outputs of the classifier.
        channels: channels of the input image.
        name: timm's name of the model.
        resolution: side of the input image, pixels; passed on to models whose input size is fixed.
        weights: name of the pretrained weights (``trainables.weights.sources``), or such a name by model; stated as
            ``default_cfg["tag"]``, from where the trainer loads them.
        dropout: timm's ``drop_rate``.
        stochastic_depth: timm's ``drop_path_rate``.

    Raises:
        ValueError: timm has no such model, or the model takes no dropout or stochastic depth and one is asked for.
    """
    import timm

    if not timm.is_model(name):
        raise ValueError(f"timm {timm.__version__} has no model '{name}'; timm.list_models() lists those it has")
    optional = {"drop_rate": dropout, "drop_path_rate": stochastic_depth}
    arguments = {keyword: value for keyword, value in optional.items() if value > 0}
    if (timm.get_pretrained_cfg(name) or {}) and timm.get_pretrained_cfg(name).fixed_input_size:
        arguments["img_size"] = resolution
    try:
        network = timm.create_model(name, num_classes=classes, in_chans=channels, **arguments)
    except TypeError as error:
        raise ValueError(f"timm's '{name}' can't be built with {sorted(arguments)}: {error}") from error
    network.neck_width = 0
    network.num_prefix_tokens = getattr(network, "num_prefix_tokens", 0)  # models without such tokens don't say so
    network.default_cfg = {
        "input_size": (channels, resolution, resolution),
        "num_classes": classes,
        "architecture": name,
        "tag": weights if isinstance(weights, str) else weights.get(name, NO_WEIGHTS),
    }
    built: nn.Module = network
    return built


def cost(*, classes: int, channels: int, name: Any, resolution: Any, weights: Any = NO_WEIGHTS) -> Counts:
    """Counts of N models by tracing each different (name, resolution) once; takes arrays of shape (N,).

    No count depends on ``weights``, which every architecture of a space may have.
    """
    del weights
    name_N, resolution_N = np.broadcast_arrays(*np.atleast_1d(name, resolution))
    pairs = np.stack([name_N.astype(str), resolution_N.astype(str)], axis=1)
    unique, row_N = np.unique(pairs, axis=0, return_inverse=True)
    measured = [
        _measured(name=str(name), resolution=int(side), classes=classes, channels=channels) for name, side in unique
    ]

    def column(field: str) -> Any:
        return np.array([getattr(statistics, field) for statistics in measured], dtype=np.int64)[np.ravel(row_N)]

    return Counts(
        macs_N=column("macs"),
        params_N=column("params"),
        activations_N=column("activations"),
        resolution_N=column("resolution"),
    )


def _measured(*, name: str, resolution: int, classes: int, channels: int) -> Statistics:
    """From the cache, or traced and written to it (by rename, so that a reader never sees half a file)."""
    folder = machine_cache("timm_statistics")
    from importlib.metadata import version  # here because it takes longer than to count other families

    path = folder / f"{version('timm')}-{name}-{resolution}-{classes}-{channels}.json"
    if path.is_file():
        return Statistics(**json.loads(path.read_text(encoding="utf-8")))
    from trainables.counting.tracing import trace

    network = build(classes=classes, channels=channels, name=name, resolution=resolution)
    statistics = trace(network, channels=channels, resolution=resolution)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda stream: stream.write(json.dumps(asdict(statistics)).encode()))
    return statistics
