"""What the names of pretrained weights stand for, and how the images that they were trained on were prepared.

A name is ``none``, ``pretrained`` (the source that the configuration has for the model, or timm's default), a source of
the configuration, ``local-dir:FOLDER`` of an exported member, or a tag of timm such as ``ra_in1k``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
from timm.models import PretrainedCfg

from spaces.candidate import NO_WEIGHTS
from spaces.mistake import Mistake
from trainables.preprocessing import INTERPOLATIONS
from trainables.pretrained import LOCAL, PRETRAINED, Source, Sources

FORMATS = ("names", "positional")


class WeightsError(Mistake):
    """Pretrained weights cannot be used; the message names them and says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Weights that a training begins with.

    Attributes:
        name: as the candidate has it, and what it stands for.
        model: timm's name of the model.
        path: where the tensors are; None for timm's own of ``tag``.
        tag: timm's tag, empty for other weights.
        format: one of ``FORMATS``.
        mean, std, interpolation: of the images that they were trained on.
    """

    name: str
    model: str
    path: str | None
    tag: str = ""
    format: str = "names"
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str

    @property
    def inputs(self) -> dict[str, Any]:
        """Keywords of ``trainables.deploy.Deployable``, in place of the data's."""
        return {"mean": self.mean, "std": self.std, "interpolation": self.interpolation}


def start_of(model: str, name: str, sources: Sources) -> Start | None:
    """What a name stands for; None for no weights. No tensor is read.

    Args:
        model: timm's name of the model.
        name: see the module.
        sources: of the configuration, by name.

    Raises:
        WeightsError: the name stands for nothing, or for weights of another model.
    """
    if name == NO_WEIGHTS:
        return None
    if name == PRETRAINED:
        name = _only_source(model, sources)
    if name in sources:
        return _configured(model, name, sources[name])
    if name.startswith(LOCAL):
        return _exported(model, name)
    return _tagged(model, name, sources)


def _only_source(model: str, sources: Sources) -> str:
    """The name of the configuration's source for a model, or timm's default tag."""
    own = [name for name, source in sources.items() if source.model == model]
    if len(own) > 1:
        raise WeightsError(
            f"'{PRETRAINED}' weights of {model} can be {_listed(own)} of section weights; keep one of them"
        )
    if own:
        return own[0]
    config = _config_of(model)
    if config is None or not (config.hf_hub_id or config.url):
        raise WeightsError(
            f"timm {timm.__version__} has no weights of {model}: give a file of them in section weights, or "
            f"architecture.weights '{NO_WEIGHTS}'"
        )
    return str(config.tag)


def _configured(model: str, name: str, source: Source) -> Start:
    if source.model != model:
        raise WeightsError(f"weights '{name}' are of {source.model}, not of {model}; see section weights")
    config = _config_of(model)
    mean, std = source.mean or getattr(config, "mean", None), source.std or getattr(config, "std", None)
    if mean is None or std is None:
        raise WeightsError(f"timm does not know how images of {model} are normalised: give weights.{name}.mean and std")
    return Start(
        name=f"'{name}' of {model}",
        model=model,
        path=source.path,
        format=source.format,
        mean=tuple(mean),
        std=tuple(std),
        interpolation=source.interpolation or _interpolation(config),
    )


def _exported(model: str, name: str) -> Start:
    folder = Path(name.removeprefix(LOCAL)).expanduser()
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        prepared = config["pretrained_cfg"]
        of = config.get("model_args", {}).get("architecture", {}).get("name") or config["architecture"]
        start = Start(
            name=f"'{name}'",
            model=model,
            path=str(folder / "model.safetensors"),
            mean=tuple(prepared["mean"]),
            std=tuple(prepared["std"]),
            interpolation=_inside(config),
        )
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise WeightsError(f"weights '{name}': '{folder}' is no folder of an exported member: {error}") from error
    if of != model:
        raise WeightsError(f"weights '{name}' are of {of}, not of {model}")
    return start


def _inside(config: Mapping[str, Any]) -> str:
    """How a member's network resized images: ``interpolation`` is how files become these, except in older folders."""
    prepared = config["pretrained_cfg"]
    older = INTERPOLATIONS[0] if prepared.get("crop_mode") == "center" else str(prepared["interpolation"])
    return str(config.get("model_args", {}).get("view", {}).get("interpolation", older))


def _tagged(model: str, tag: str, sources: Sources) -> Start:
    tags = [full.partition(".")[2] for full in timm.list_pretrained(f"{model}.*")]
    if tag not in tags:
        raise WeightsError(
            f"'{tag}' stands for no weights of {model}: timm {timm.__version__} has {_listed(tags)}, section weights "
            f"has {_listed(list(sources))}"
        )
    config = timm.get_pretrained_cfg(f"{model}.{tag}")
    return Start(
        name=f"'{tag}' of timm's {model}",
        model=model,
        path=None,
        tag=tag,
        mean=tuple(config.mean),
        std=tuple(config.std),
        interpolation=_interpolation(config),
    )


def _config_of(model: str) -> PretrainedCfg | None:
    config: PretrainedCfg | None = timm.get_pretrained_cfg(model) if timm.is_model(model) else None
    return config


def _interpolation(config: PretrainedCfg | None) -> str:
    own = str(getattr(config, "interpolation", ""))
    return own if own in INTERPOLATIONS else INTERPOLATIONS[0]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
