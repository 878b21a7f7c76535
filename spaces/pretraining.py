"""Backbone x objective x recipe x adaptation: small convolutional networks and small transformers, pretrained or not.

Each backbone has the objectives that suit it: masked tokens need tokens, masked convolution needs convolutions. Those
without targets are pretrained on the data's own images or on fractals, which ``multi_instance`` always has. What
follows pretraining is the recipe of the tiny space, which also trains from scratch where the objective is ``none``.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from spaces import tiny
from spaces.components import OBJECTIVES, constant, parts_of
from spaces.dimensions import Choice, Dimension, Real, Value
from spaces.joined import join
from spaces.reference import Reference
from spaces.space import Condition, Space

OBJECTIVE = "pretraining.objective"
FROM_SCRATCH: Mapping[str, Value] = MappingProxyType({"objective": "none"})
OF_FRACTALS = "multi_instance"
"""The objective that reads which fractals a picture shows."""


def space() -> Space:
    """The space: 6e10 architectures x 4e9 recipes, and some 3e4 pretrainings of each."""
    recipe, conditions = tiny.recipe_of_small_images()
    families = (
        with_pretraining(tiny.space(), ("none", "simclr", "swav", "spark", OF_FRACTALS)),
        with_pretraining(transformers(), ("none", "simclr", "swav", "simmim", OF_FRACTALS)),
    )
    return join("pretraining", families, recipe=recipe, conditions=conditions)


def references() -> Iterator[Reference]:
    """Those of space ``tiny``, which are trained from scratch; nobody's usual transformer is as small as these."""
    return with_stages(tiny.references())


def with_stages(
    references: Iterable[Reference],
    pretraining: Mapping[str, Value] = FROM_SCRATCH,
    adaptation: Mapping[str, Value] = MappingProxyType({}),
) -> Iterator[Reference]:
    """References of a space without pretraining as those of its counterpart with it, without a neck."""
    for reference in references:
        candidate = reference.candidate
        yield replace(
            reference,
            candidate=replace(
                candidate,
                architecture={**candidate.architecture, "neck": 0},
                pretraining=pretraining,
                adaptation=adaptation,
            ),
        )


def with_pretraining(
    family: Space,
    objectives: tuple[str, ...],
    knobs: Mapping[str, Dimension] | None = None,
    *,
    recipe: Mapping[str, Dimension] | None = None,
    necks: tuple[int, ...] = (0, 64),
) -> Space:
    """A space of one backbone whose candidates may be pretrained with one of these objectives, or ``none``.

    Args:
        family: the space.
        objectives: values of ``pretraining.objective``.
        knobs: of objectives, by address below ``pretraining``, in place of those that space ``pretraining`` has.
        recipe: share of the compute and recipe of every pretraining, in place of that space's.
        necks: from where fine-tuning starts: below the projection (0), or after its first layer, so many wide.
    """
    trained = tuple(name for name in objectives if name != "none")
    pretraining: dict[str, Dimension] = {"objective": Choice(values=objectives)}
    conditions = dict(family.conditions)
    own = knobs_of_objectives() if knobs is None else knobs
    for part, owners in _parts(trained, own, recipe_of_pretraining() if recipe is None else recipe):
        pretraining |= part
        conditions |= {f"pretraining.{address}": Condition(parent=OBJECTIVE, values=owners) for address in part}
    conditions["adaptation.method"] = Condition(parent=OBJECTIVE, values=trained)
    conditions["adaptation.full.layer_decay"] = Condition(parent="adaptation.method", values=("full",))
    return replace(
        family,
        architecture={**family.architecture, "neck": Choice(values=necks, ordered=True)},
        pretraining=pretraining,
        adaptation={
            "method": Choice(values=("full", "linear")),
            "full.layer_decay": Choice(values=(0.75, 0.9, 1.0), ordered=True),
        },
        conditions=conditions,
    )


def _parts(
    trained: tuple[str, ...], knobs: Mapping[str, Dimension], recipe: Mapping[str, Dimension]
) -> Iterator[tuple[dict[str, Dimension], tuple[str, ...]]]:
    """Dimensions of pretraining by address, and the objectives that have them."""
    yield dict(recipe), trained
    of_any_images = tuple(name for name in trained if not _reads_targets(name) and not _reads_fields(name, knobs))
    if of_any_images:
        yield {"source": Choice(values=("own", "fractals"))}, of_any_images
    if OF_FRACTALS in trained:
        yield {"fractals.systems": Choice(values=(30, 100, 300), ordered=True)}, (OF_FRACTALS,)
    for address, dimension in knobs.items():
        owners = _owners(address, trained)
        if owners:
            yield {address: dimension}, owners


def _reads_targets(name: str) -> bool:
    """Whether an objective, or a part of it, reads classes: of fractals, or those of the data's own images."""
    return any(constant(OBJECTIVES, part, "LABELS") for part in parts_of(name))


def _reads_fields(name: str, knobs: Mapping[str, Dimension]) -> bool:
    """Whether an objective, or a part of it, reads more of images than pixels: always, or for one of these knobs."""
    return any(
        not knob or f"{part}.{knob}" in knobs
        for part in parts_of(name)
        for knob, _ in constant(OBJECTIVES, part, "NEEDS")
    )


def _owners(address: str, trained: tuple[str, ...]) -> tuple[str, ...]:
    """The objectives that have a knob; of those with several parts also ``weight.NAME`` and ``weights``."""
    owner, _, keyword = address.partition(".")
    joint = tuple(name for name in trained if len(parts_of(name)) > 1)
    if owner == "weights":
        return joint
    if owner == "weight":
        return tuple(name for name in joint if keyword in parts_of(name))
    return tuple(name for name in trained if owner in parts_of(name))


def recipe_of_pretraining() -> dict[str, Dimension]:
    """Share of the compute and recipe of every pretraining, by address below ``pretraining``."""
    return {
        "share": Choice(values=(0.25, 0.5, 0.75), ordered=True),
        "batch.size": Choice(values=(64,)),
        "schedule.name": Choice(values=("cosine",)),
        "schedule.warmup_epochs": Choice(values=(1,)),
        "schedule.final": Choice(values=(0.01,)),
        "optimizer.name": Choice(values=("adamw",)),
        "optimizer.learning_rate.adamw": Real(low=5e-4, high=2e-2, levels=9, log=True),
        "optimizer.weight_decay": Real(low=1e-6, high=1e-2, levels=5, log=True),
    }


def knobs_of_objectives() -> dict[str, Dimension]:
    """Knobs of the objectives, by address below ``pretraining``."""
    return {
        "simclr.temperature": Choice(values=(0.1, 0.2, 0.5), ordered=True),
        "simclr.layers": Choice(values=(2, 3), ordered=True),
        "simclr.crop": Choice(values=(0.2, 0.4, 0.6, 0.8), ordered=True),
        "simclr.jitter": Choice(values=(0.0, 0.2, 0.4), ordered=True),
        "swav.prototypes": Choice(values=(10, 30, 100), ordered=True),
        "swav.crop": Choice(values=(0.2, 0.4, 0.6, 0.8), ordered=True),
        "swav.jitter": Choice(values=(0.0, 0.2, 0.4), ordered=True),
        "spark.masked": Choice(values=(0.4, 0.6, 0.75), ordered=True),
        "spark.decoder_width": Choice(values=(16, 32), ordered=True),
        "simmim.masked": Choice(values=(0.4, 0.6, 0.75), ordered=True),
        "simmim.unit": Choice(values=(1, 2), ordered=True),
    }


def transformers() -> Space:
    """TinyViTs of three stages for images of 16 to 32 pixels."""
    architecture: dict[str, Dimension] = {
        "resolution": Choice(values=(16, 32), ordered=True),
        "mlp_ratio": Choice(values=(2.0, 3.0), ordered=True),
        "conv_expansion": Choice(values=(2, 3), ordered=True),
    }
    for stage in range(3):
        architecture[f"width.{stage}"] = Choice(values=(32, 64), ordered=True)
        architecture[f"depth.{stage}"] = Choice(values=(1, 2), ordered=True)
    for stage in range(2):
        architecture[f"window.{stage}"] = Choice(values=(2, 4), ordered=True)
    recipe, conditions = tiny.recipe_of_small_images()
    return Space(
        name="tiny_transformers", backbone="tiny_vit", architecture=architecture, recipe=recipe, conditions=conditions
    )
