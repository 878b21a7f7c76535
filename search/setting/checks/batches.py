"""Whether the batches of a pretraining can be drawn and are small enough, whatever a candidate of the space is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from search.setting.checks.choices import prefixes, together, turned_on, values_but, values_of
from search.setting.config import ConfigError
from spaces import components
from spaces.components import INGREDIENTS, OBJECTIVES, PICTURES
from spaces.space import Space
from trainables.batches.fields import fields_of
from trainables.splits import Splits

USUAL = 64
"""Images of a step where a space does not say it, as in ``trainables.plan.Plan``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asker:
    """What gives batches an order of their own.

    Attributes:
        address: in full, where it is chosen.
        values: that ask for it.
        block: images that stand together, or the address that says how many.
    """

    address: str
    values: list[Any] = field(default_factory=list)
    block: int | str = 1


def check_batches(space: Space, splits: Splits) -> None:
    """One order of images at most, batches that it fills, and steps and images that objectives can take.

    Raises:
        ConfigError: a candidate of the space could not be trained; the message names the choices that exclude each
            other, and what to restrict.
    """
    for _, prefix in prefixes(space):
        for objective in values_of(space, "pretraining", f"{prefix}objective"):
            chosen = {f"pretraining.{prefix}objective": [objective]}
            askers = list(_askers(space, prefix, objective))
            for one, other in combinations(askers, 2):
                if together(space, {**chosen, one.address: one.values, other.address: other.values}):
                    raise ConfigError(
                        f"space '{space.name}' offers {_named(one)} together with {_named(other)}, and each draws the "
                        "images of a batch in an order of its own: restrict one of them by space.restrict"
                    )
            for asker in askers:
                _check_blocks(space, splits, prefix, chosen, asker)
            for sentence in (*_too_large(space, splits, prefix, objective), *_changed(space, prefix, objective)):
                raise ConfigError(f"space '{space.name}' offers {sentence}")


def _askers(space: Space, prefix: str, objective: str) -> Iterator[_Asker]:
    """What may ask for an order in the pretraining by an objective: its knobs, the source, the recipe."""
    for part in components.parts_of(objective):
        for knob, block in components.constant(OBJECTIVES, part, "ORDERS"):
            for address, values in turned_on(space, prefix, part, knob).items():
                yield _Asker(
                    address=address,
                    values=values,
                    block=f"pretraining.{prefix}{part}.{block}" if isinstance(block, str) else block,
                )
    sources = [
        source
        for source in values_of(space, "pretraining", f"{prefix}source")
        if source in components.names(PICTURES) and components.constant(PICTURES, source, "ORDERED")
    ]
    if sources:
        yield _Asker(address=f"pretraining.{prefix}source", values=sources)
    address = f"pretraining.{prefix}sampling.rare"
    off = components.parameters(INGREDIENTS, "sampling").defaults["rare"]
    rare = [value for value in (space.dimension(address).values if address in space.index else ()) if value != off]
    if rare:
        yield _Asker(address=address, values=rare)


def _named(asker: _Asker) -> str:
    return f"{asker.address} {' or '.join(map(str, asker.values))}"


def _check_blocks(space: Space, splits: Splits, prefix: str, chosen: Mapping[str, list[Any]], asker: _Asker) -> None:
    """Batches of whole groups are filled, by groups that are large enough."""
    blocks = asker.values if isinstance(asker.block, str) else [asker.block]
    largest = _largest_group(splits)
    for block in blocks:
        own = [block] if isinstance(asker.block, str) else asker.values
        for size, sized in _sizes(space, prefix):
            if size % block and together(space, {**chosen, asker.address: own, **sized}):
                raise ConfigError(
                    f"space '{space.name}' offers {asker.address} {own[0]} with batches of {size} images, which groups "
                    f"of {block} do not fill: restrict it, or change pretraining.{prefix}batch.size"
                )
        if block > 1 and largest is not None and block > largest:
            raise ConfigError(
                f"space '{space.name}' offers {asker.address} {own[0]}, which needs {block} images of a group, and the "
                f"largest group has {largest}: restrict it to smaller groups"
            )


def _largest_group(splits: Splits) -> int | None:
    """Images of the largest group among the data's own; None where groups are not known."""
    group_N = fields_of(splits.unlabelled).get("group")
    if group_N is None:
        return None
    known_M = group_N[group_N >= 0]
    return int(np.unique(known_M, return_counts=True)[1].max()) if len(known_M) else 0


def _sizes(space: Space, prefix: str) -> Iterator[tuple[int, dict[str, list[Any]]]]:
    """Images of a step that a pretraining may have, and the choice that says so."""
    address = f"pretraining.{prefix}batch.size"
    if address not in space.index:
        yield USUAL, {}
        return
    for size in space.dimension(address).values:
        yield int(size), {address: [size]}


def _too_large(space: Space, splits: Splits, prefix: str, objective: str) -> Iterator[str]:
    """Choices under which a step has more images than an objective takes, why, and what to do."""
    chosen = {f"pretraining.{prefix}objective": [objective]}
    for part in components.parts_of(objective):
        for knob, most, times in components.constant(OBJECTIVES, part, "AT_MOST"):
            for address, values in turned_on(space, prefix, part, knob).items():
                for limit, limited in _limits(space, prefix, part, knob, most, values):
                    for size, sized in _sizes(space, prefix):
                        images = min(size, len(splits.unlabelled))  # smaller data are one batch
                        if images * times > limit and together(space, {**chosen, address: values, **limited, **sized}):
                            what = f"pretraining.{prefix}{part}.{most}" if isinstance(most, str) else "it"
                            yield (
                                f"{address} above its default with batches of {images} images, of which it takes "
                                f"{limit // times} at most: use smaller batches by pretraining.{prefix}batch.size, or "
                                f"restrict {what}"
                            )


def _limits(
    space: Space, prefix: str, part: str, knob: str, most: int | str, values: list[Any]
) -> Iterator[tuple[int, dict[str, list[Any]]]]:
    """Each largest number of images, and the choice that says so."""
    if not isinstance(most, str):
        yield most, {}
        return
    address = f"pretraining.{prefix}{part}.{most}"
    if most == knob or address in space.index:
        for value in values if most == knob else space.dimension(address).values:
            yield int(value), {address: [value]}
    else:
        yield int(components.parameters(OBJECTIVES, part).defaults[most]), {}


def _changed(space: Space, prefix: str, objective: str) -> Iterator[str]:
    """Ingredients under which images are not as an objective needs them, and what to do."""
    chosen = {f"pretraining.{prefix}objective": [objective]}
    for ingredient, knob in (("curriculum", "start"), ("mixup", "alpha")):
        address, off = f"pretraining.{prefix}{ingredient}.{knob}", components.constant(INGREDIENTS, ingredient, "OFF")
        values = values_but(space, address, off[knob])
        for asked, reason in _needs_of_images(space, prefix, objective, ingredient):
            if values and together(space, {**chosen, **asked, address: values}):
                named = " and ".join((f"objective '{objective}'", *asked))
                yield (
                    f"{address} {values[0]} together with {named}, which {reason}: restrict it to {off[knob]} by "
                    "space.restrict"
                )


def _needs_of_images(
    space: Space, prefix: str, objective: str, ingredient: str
) -> Iterator[tuple[dict[str, list[Any]], str]]:
    """With which knobs of an objective it needs images that an ingredient changes, and why."""
    for part in components.parts_of(objective):
        if ingredient == "curriculum" and components.constant(OBJECTIVES, part, "FIXED_SIDE"):
            yield {}, "needs the full resolution"
        if ingredient == "mixup":
            for knob, field_name in components.constant(OBJECTIVES, part, "NEEDS"):
                asked = turned_on(space, prefix, part, knob) if knob else {}
                if asked or not knob:
                    yield asked, f"reads the field {field_name} of images, which cannot be mixed"
