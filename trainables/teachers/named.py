"""Teachers from elsewhere: exported members and other networks that timm builds, and several networks as one.

A teacher is named ``local-dir:FOLDER`` (a timm-style folder: ``config.json`` and ``model.safetensors``, such as an
exported member), ``MODEL@CHECKPOINT`` (a model of timm and a file of its weights) or ``untrained:MODEL`` (a model of
timm with random weights, always the same). Where it need not have the data's classes, also by its name in the
configuration's ``weights``, or as ``MODEL.TAG`` of timm's pretrained weights. No file is unpickled freely.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import save_file
from timm.models import load_checkpoint
from torch import Tensor, nn

from spaces.mistake import Mistake
from trainables.deploy import Deployable
from trainables.preprocessing import INTERPOLATIONS
from trainables.splits import Splits
from trainables.teachers import timm_architecture  # registers our networks with timm
from trainables.weights.loading import weights_for
from trainables.weights.sources import start_of

LOCAL = "local-dir:"
UNTRAINED = "untrained:"
MEMBER = "nars"
"""In place of a model's name in the configuration's ``weights``: the path is the folder of an exported member."""


class TeacherError(Mistake):
    """A teacher cannot be used; the message names it and says what to do."""


class Ensemble(nn.Module):
    """Networks as one: the logarithm of their mean class probabilities, which serves as scores."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        if not networks:
            raise ValueError("an ensemble needs at least one network, given none")
        self.networks = nn.ModuleList(networks)

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Scores, shape (N, classes)."""
        parts = [network(image_NCHW).log_softmax(dim=1) for network in self.networks]
        return torch.logsumexp(torch.stack(parts), dim=0) - torch.tensor(float(len(parts))).log()


def load_teacher(name: str, splits: Splits) -> Deployable:
    """Build a teacher that takes images in [0, 1] of the data; in evaluation mode.

    A network whose own means fit the data's channels is given images normalised by these, others by the data's.

    Raises:
        TeacherError: it does not exist, has no weights, or is made for other classes or channels.
    """
    teacher = _load(name, splits)
    if teacher.scored != len(splits.classes):
        raise TeacherError(
            f"teacher '{name}' gives {teacher.scored} scores an image; the data has {len(splits.classes)}"
        )
    return teacher


def load_any_teacher(name: str, splits: Splits) -> Deployable:
    """Build a teacher of whatever classes, with all of its weights; in evaluation mode.

    Args:
        name: as for ``load_teacher``, of ``splits.weights``, or ``MODEL.TAG``. Networks with pretrained weights see
            images of the size that they were trained with.
        splits: the data, whose channels the teacher takes.

    Raises:
        TeacherError: it does not exist or has no weights.
        WeightsError: its weights cannot be fetched or read, or do not fit.
    """
    source = splits.weights.get(name)
    if source is not None and source.model == MEMBER:
        return _load(f"{LOCAL}{source.path}", splits)
    if source is not None:
        return _with_weights(source.model, name, splits)
    if name.startswith((LOCAL, UNTRAINED)) or "@" in name:
        return _load(name, splits)
    model, _, tag = name.partition(".")
    if not tag or not timm.is_model(model):
        known = ", ".join(splits.weights) or "none"
        raise TeacherError(
            f"teacher '{name}' is unknown: section weights names {known}; or give '{LOCAL}FOLDER', 'MODEL@CHECKPOINT', "
            f"'{UNTRAINED}MODEL' or 'MODEL.TAG' of timm's pretrained weights"
        )
    return _with_weights(model, tag, splits)


def _with_weights(model: str, name: str, splits: Splits) -> Deployable:
    """A model of timm with pretrained weights, those of its classifier among them."""
    start, config = start_of(model, name, splits.weights), timm.get_pretrained_cfg(model)
    if start is None or config is None:
        raise TeacherError(f"teacher '{name}': timm {timm.__version__} has no pretrained model '{model}'")
    network = timm.create_model(model, num_classes=config.num_classes, in_chans=splits.channels)
    inputs = start.inputs
    for statistic in ("mean", "std"):
        if len(inputs[statistic]) != splits.channels:
            inputs[statistic] = (sum(inputs[statistic]) / len(inputs[statistic]),) * splits.channels
    teacher = Deployable(network, resolution=int(config.input_size[-1]), **inputs)
    teacher.load_state_dict(weights_for(start, teacher, classifier=True), strict=False)
    return teacher.eval().requires_grad_(False)


def _load(name: str, splits: Splits) -> Deployable:
    """A teacher from a folder or a checkpoint, whose number of scores is not looked at."""
    model, _, checkpoint = name.partition("@")
    classes = len(splits.classes)
    try:
        if name.startswith(LOCAL):
            network: nn.Module = timm.create_model(name, pretrained=True)
        elif name.startswith(UNTRAINED):
            network = _untrained(name.removeprefix(UNTRAINED), splits)
        elif checkpoint:
            network = timm.create_model(model, num_classes=classes, in_chans=splits.channels)
            load_checkpoint(network, checkpoint, weights_only=True)
        else:
            raise TeacherError(f"teacher '{name}' has no weights; give '{LOCAL}FOLDER' or '{name}@CHECKPOINT'")
    except TeacherError:
        raise
    except Exception as error:  # whatever a file that is no checkpoint makes its readers raise
        reason = " ".join(str(error).split())[:300]
        raise TeacherError(f"teacher '{name}' cannot be loaded for {classes} classes: {reason}") from error
    config = getattr(network, "pretrained_cfg", None) or {}
    mean, std = config.get("mean") or (), config.get("std") or ()
    if len(mean) != splits.channels:
        mean, std = splits.mean, splits.std
    teacher = Deployable(network, mean=mean, std=std, **_view(name, network, config, splits.resolution))
    teacher.eval().requires_grad_(False)
    _check_images(name, teacher, splits)
    return teacher


def _untrained(model: str, splits: Splits) -> nn.Module:
    """The same random weights whenever it is asked for."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network: nn.Module = timm.create_model(model, num_classes=len(splits.classes), in_chans=splits.channels)
    config: Mapping[str, Any] = getattr(network, "pretrained_cfg", None) or {}
    network.pretrained_cfg = {  # type: ignore[assignment]  # of whose images it has seen none
        key: config[key] for key in ("input_size", "fixed_input_size") if key in config
    }
    return network


def _view(name: str, network: nn.Module, config: Mapping[str, Any], side: int) -> dict[str, Any]:
    """What a teacher sees of the data's images: a member what it saw in training, others the whole image."""
    stored = getattr(network, "stored_view", None)
    if isinstance(stored, timm_architecture.StoredView):
        network.stored_view = None  # type: ignore[assignment]  # seen to by what wraps the network
        return asdict(stored.view)
    if not name.startswith(LOCAL) and not config.get("fixed_input_size"):
        return {"resolution": side}
    rule = str(config.get("interpolation")) if name.startswith(LOCAL) else "bilinear"
    own = int((config.get("input_size") or (0, 0, side))[-1])
    return {"resolution": own, "interpolation": rule if rule in INTERPOLATIONS else "bilinear"}


def _check_images(name: str, teacher: Deployable, splits: Splits) -> None:
    image_NCHW = torch.zeros(1, splits.channels, splits.resolution, splits.resolution)
    try:
        teacher(image_NCHW)
    except (RuntimeError, AssertionError) as error:  # the latter are timm's
        raise TeacherError(f"teacher '{name}' cannot read images of {tuple(image_NCHW.shape[1:])}: {error}") from error


def save_teacher(name: str, splits: Splits, folder: Path) -> None:
    """Write a named teacher as a timm-style folder, so that a pupil can be trained again from there."""
    folder.mkdir(parents=True)
    if name.startswith(LOCAL):
        for file in ("config.json", "model.safetensors"):
            shutil.copyfile(Path(name.removeprefix(LOCAL)) / file, folder / file)
        return
    teacher = load_teacher(name, splits)
    save_file(teacher.network.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architecture": name.partition("@")[0],
        "num_classes": len(splits.classes),
        "model_args": {"in_chans": splits.channels, "num_classes": len(splits.classes)},
        "pretrained_cfg": {
            "input_size": [splits.channels, teacher.resolution, teacher.resolution],
            "mean": teacher.mean.flatten().tolist(),
            "std": teacher.std.flatten().tolist(),
            "interpolation": teacher.interpolation,
            "num_classes": len(splits.classes),
        },
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
