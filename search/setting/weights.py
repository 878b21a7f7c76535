"""Which pretrained weights the candidates of a space may begin with, and whether they are here and fit."""

from collections.abc import Iterator, Mapping

import timm
import torch

from search.setting.config import ConfigError
from spaces.candidate import NO_WEIGHTS, Candidate
from spaces.space import Space
from trainables.pretrained import Sources
from trainables.splits import Splits
from trainables.teachers.class_maps import check_classes
from trainables.teachers.named import load_any_teacher
from trainables.training.building import build
from trainables.weights.loading import start_for, weights_for
from trainables.weights.sources import start_of

LABELLING = "label_pooling.teacher"
"""Address in a recipe of a teacher whose classes are the data's."""


def bare_candidates(space: Space) -> Iterator[Candidate]:
    """One without a recipe for each model and each of its pretrained weights, at all resolutions that its form has."""
    for backbone in space.architecture["backbone"].values if space.joins_families else (space.backbone,):
        prefix = f"{backbone}." if space.joins_families else ""
        own = {a.removeprefix(prefix): d for a, d in space.architecture.items() if a.startswith(prefix)}
        for address, dimension in own.items():
            keyword, _, model = address.partition(".")
            if keyword != "weights":
                continue
            for name in (model,) if model else map(str, own["name"].values):
                sides = own["resolution"].values
                for side in sides if _has_one_size(name) else sides[:1]:
                    for weights in dimension.values:
                        if weights != NO_WEIGHTS:
                            architecture = {"name": name, "resolution": side, "weights": weights}
                            yield Candidate(
                                backbone=str(backbone), objective=space.objective, architecture=architecture, recipe={}
                            )


def _has_one_size(model: str) -> bool:
    """Whether the shapes of its tensors depend on the resolution."""
    config = timm.get_pretrained_cfg(model) if timm.is_model(model) else None
    return config is not None and bool(config.fixed_input_size)


def check_weights(space: Space, sources: Sources) -> None:
    """Every source can be chosen, and every name that can be chosen stands for weights of its model; nothing is read.

    Raises:
        ConfigError: no candidate of the space begins with pretrained weights or has a teacher, though there are
            sources; none is of a source's model; or no source has a teacher's name.
        WeightsError: a name stands for nothing.
    """
    candidates, teachers = list(bare_candidates(space)), teachers_of(space)
    _check_teachers(space, teachers, sources)
    begun = {name: source for name, source in sources.items() if name not in teachers}
    if begun and not candidates:
        raise ConfigError(
            f"section weights names '{next(iter(begun))}', but no candidate of space '{space.name}' begins with "
            "weights: choose a space with architecture.weights, such as finetune_small, or leave the section out"
        )
    models = list(dict.fromkeys(str(candidate.architecture["name"]) for candidate in candidates))
    for name, source in begun.items():
        if source.model not in models:
            raise ConfigError(
                f"weights.{name}.model is '{source.model}', which space '{space.name}' does not have, as it is "
                f"restricted; it has {', '.join(models)}"
            )
    for candidate in candidates:
        start_of(str(candidate.architecture["name"]), candidate.weights, sources)


def _check_teachers(space: Space, teachers: Mapping[str, str], sources: Sources) -> None:
    """What is not a source is at least written as a folder, a checkpoint or a tag of timm is."""
    for name, address in teachers.items():
        if name not in sources and not any(sign in name for sign in ".:@"):
            raise ConfigError(
                f"space '{space.name}' has the teacher '{name}' ({address}), which section weights does not name: give "
                f"weights.{name} a model and a path (model: nars for the folder of an exported member), or leave its "
                "objective out by space.restrict"
            )


def teachers_of(space: Space) -> dict[str, str]:
    """The teachers that a candidate's pretraining or recipe may name, each with an address that names it."""
    return {
        str(name): f"{role}.{address}"
        for role in ("pretraining", "recipe")
        for address, dimension in getattr(space, role).items()
        if address.rpartition(".")[2] == "teacher" and _can_be_active(space, f"{role}.{address}")
        for name in dimension.values
    }


def _can_be_active(space: Space, address: str) -> bool:
    condition = space.conditions.get(address)
    if condition is None:
        return True
    role, _, below = condition.parent.partition(".")
    return bool(set(condition.values) & set(getattr(space, role)[below].values))


def open_teachers(space: Space, splits: Splits) -> Iterator[str]:
    """Load every teacher that pretrains or labels; a sentence each.

    Raises:
        TeacherError, WeightsError: one cannot be used.
    """
    labelling = {
        str(name)
        for address, dimension in space.recipe.items()
        if address == LABELLING and _can_be_active(space, f"recipe.{address}")
        for name in dimension.values
    }
    for name in teachers_of(space):
        teacher, labels = load_any_teacher(name, splits), name in labelling
        if labels:
            check_classes(teacher, name, len(splits.classes))
        what = "teacher of labels" if labels else "teacher of pretraining"
        yield f"{what}: '{name}' has {teacher.scored} classes, sees {teacher.resolution} pixels a side"


def words_of_start(candidate: Candidate, splits: Splits) -> str:
    """What a candidate's training begins with: random weights, or which pretrained ones."""
    if candidate.weights == NO_WEIGHTS:
        return "random weights"
    start = start_of(str(candidate.architecture["name"]), candidate.weights, splits.weights)
    return "random weights" if start is None else start.name


def fetch_weights(space: Space, splits: Splits) -> Iterator[str]:
    """Fetch what this machine lacks of the weights, and see that all fit the networks of the space; a sentence each.

    Raises:
        WeightsError: weights cannot be fetched or read, or do not fit.
    """
    for candidate in bare_candidates(space):
        with torch.device("meta"):
            network = build(candidate, splits)
        start = start_for(network.network, splits.weights)
        assert start is not None
        tensors = weights_for(start, network)
        yield (
            f"weights: {start.name}, {len(tensors)} tensors without the classifier; images with mean "
            f"{_few(start.mean)} and standard deviation {_few(start.std)}, {start.interpolation}"
        )


def _few(values: tuple[float, ...]) -> str:
    """Values of channels, or one where all are the same."""
    return ", ".join(f"{value:g}" for value in (values if len(set(values)) > 1 else values[:1]))
