"""Whether data have what the objectives, sources, adaptations and evaluations of a configuration read of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from search.setting.checks.choices import names_of, prefixes, reads, together, turned_on, values_of
from search.setting.checks.readers import leaves_no_texts
from search.setting.config import Config, ConfigError
from spaces import components
from spaces.candidate import NO_PRETRAINING, OWN_PICTURES
from spaces.components import ADAPTATIONS, EVALUATIONS, OBJECTIVES
from spaces.space import Space
from trainables.batches.fields import CAPTION, VOCABULARY, check_field, fields_of, needs_of
from trainables.data._synonyms import are_named
from trainables.splits import Joined, Splits

CLIP = "clip"
"""The objective that reads captions."""
MIX, ORIGIN = "mix", "origin"
"""The source that joins images, and the field that says which of them one is."""
COLOURED = 3
"""Channels of images in colour."""


def check_fields(space: Space, splits: Splits) -> None:
    """The images to pretrain on, of every source, have what the objectives of the space read of them.

    Raises:
        FieldError: they lack a field; the message names it, the source, and the knob that asks for it.
    """
    for _, prefix in prefixes(space):
        for objective in values_of(space, "pretraining", f"{prefix}objective"):
            for field, asked in _asked(space, prefix, objective):
                for source, offered in _sources(space, prefix, objective).items():
                    if together(space, {**asked, **offered}):
                        fields, images = _images_of(source, space, prefix, splits)
                        knobs = [address for address in asked if not address.endswith(".objective")]
                        check_field(field, fields, images, " and ".join(knobs))


def _asked(space: Space, prefix: str, objective: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Fields that an objective may read, and the values by full address with which it does."""
    chosen = {f"pretraining.{prefix}objective": [objective]}
    for part in components.parts_of(objective):
        for knob, field in components.constant(OBJECTIVES, part, "NEEDS"):
            if not knob:
                yield field, chosen
            elif changed := turned_on(space, prefix, part, knob):
                yield field, {**chosen, **changed}


def check_mixes(space: Space, splits: Splits) -> None:
    """There are pools, where a space offers a share of them.

    Raises:
        ConfigError: there are none.
    """
    offered = [name for name, one in space.pretraining.items() if name.endswith("mix.pools") and any(one.values)]
    if offered and not splits.pools:
        raise ConfigError(
            f"space '{space.name}' offers 'pretraining.{offered[0]}' above 0, and there are no data.pools; name some, "
            "or restrict it to 0"
        )


def check_frames(space: Space, splits: Splits) -> None:
    """Images are clips of as many frames as networks may see in time.

    Raises:
        ConfigError: frames do not divide their channels.
    """
    for name, dimension in space.architecture.items():
        if name.rpartition(".")[2] != "frames":
            continue
        odd = [frames for frames in dimension.values if splits.channels % int(frames)]
        if odd:
            raise ConfigError(
                f"space '{space.name}' offers architecture.{name} {odd[0]}, which does not divide the "
                f"{splits.channels} channel(s) of the images; give clips of so many frames (docs/clips.md), or "
                f"restrict architecture.{name} to others"
            )


def check_captions(space: Space, splits: Splits) -> None:
    """Images have as many captions, and as short, as ``clip`` is offered to read, and colours if it may paint them.

    Raises:
        ConfigError: they do not.
    """
    caption_NTL = fields_of(splits.unlabelled).get(CAPTION)
    if caption_NTL is None:
        return
    _, slots, tokens = caption_NTL.shape
    _check_prefixes(space, splits)
    for _, prefix in prefixes(space):
        if CLIP in names_of(space, "pretraining", f"{prefix}objective"):
            for unsuited in _unsuited(space, prefix, slots, tokens, splits.channels):
                raise ConfigError(f"space '{space.name}' offers pretraining.{prefix}clip.{unsuited}, or restrict it")


def _check_prefixes(space: Space, splits: Splits) -> None:
    """Texts come from no more origins than ``clip`` has prefixes for."""
    kinds = int(components.constant(OBJECTIVES, CLIP, "KINDS"))
    own_N = fields_of(splits.unlabelled).get(ORIGIN)
    for _, prefix in prefixes(space):
        asked = turned_on(space, prefix, CLIP, "prefix")
        address = f"pretraining.{prefix}source"
        count = 0 if own_N is None else int(own_N.max(initial=-1)) + 1
        if together(space, {**asked, address: [MIX]}):
            count = 1 + _mixes_fractals(space, prefix) + len(splits.pools)
        if asked and together(space, asked) and count > kinds:
            raise ConfigError(
                f"space '{space.name}' offers {next(iter(asked))}, whose prefixes tell {kinds} origins apart, and "
                f"these images have {count}: restrict it to false, or join fewer"
            )


def _unsuited(space: Space, prefix: str, slots: int, tokens: int, channels: int) -> Iterator[str]:
    """A value of ``clip`` that captions or images do not suit, why, and what to do."""
    most, shortest = max(_values_of_clip(space, prefix, "captions")), min(_values_of_clip(space, prefix, "text_length"))
    if most > slots:
        yield f"captions {most}, and these images have {slots}; add to data.captions"
    if shortest < tokens:
        yield f"text_length {shortest}, and captions have {tokens} tokens; change data.caption_tokens"
    if any(_values_of_clip(space, prefix, "painted")) and channels != COLOURED:
        yield f"painted above 0, and images have {channels} channel(s) in place of {COLOURED}; choose other images"


def _values_of_clip(space: Space, prefix: str, knob: str) -> list[Any]:
    """Those that a space offers, or the default alone."""
    dimension = space.pretraining.get(f"{prefix}{CLIP}.{knob}")
    return [components.parameters(OBJECTIVES, CLIP).defaults[knob]] if dimension is None else list(dimension.values)


def check_names(space: Space, splits: Splits) -> None:
    """Captions name classes, where a space offers an adaptation that learns from the images that they name.

    Raises:
        ConfigError: none does.
    """
    methods = {
        name for role in space.adaptation for name in names_of(space, "adaptation", role) if role.endswith("method")
    }
    retrieving = sorted(name for name in methods if reads(ADAPTATIONS, name)("synonyms"))
    if retrieving and not are_named(splits):
        raise ConfigError(
            f"space '{space.name}' offers adaptation.method '{retrieving[0]}', which learns from images whose captions "
            "name a class, and no caption does; say in data.synonyms what captions call the classes, or leave it out"
        )


def _sources(space: Space, prefix: str, objective: str) -> Mapping[str, Mapping[str, Sequence[Any]]]:
    """Where the images come from that an objective may be pretrained on, and the choice that says so, if one does."""
    address = f"pretraining.{prefix}source"
    if address in space.index:
        values = space.dimension(address).values
        if together(space, {f"pretraining.{prefix}objective": [objective], address: values}):
            return {str(value): {address: [value]} for value in values}
    own = {str(components.constant(OBJECTIVES, part, "SOURCE")) for part in components.parts_of(objective)}
    return {source: {} for source in (own if len(own) == 1 else (OWN_PICTURES,))}


def _images_of(source: str, space: Space, prefix: str, splits: Splits) -> tuple[Mapping[str, Any], str]:
    """The fields of the images of a source, and what people call these."""
    if source == OWN_PICTURES:
        return fields_of(splits.unlabelled), "these images"
    called = f"the images of pretraining.source '{source}'"
    if source == MIX:
        joined = (
            {} if _mixes_fractals(space, prefix) else fields_of(Joined((splits.unlabelled, *splits.pools.values())))
        )
        return {**joined, ORIGIN: None}, called
    pool = splits.pools.get(source)  # else pictures that are made, of which nothing is known
    return {} if pool is None else fields_of(pool), called


def _mixes_fractals(space: Space, prefix: str) -> bool:
    """Whether a space offers a share of fractals in a mix, of which nothing is known."""
    share = space.pretraining.get(f"{prefix}{MIX}.fractals")
    return share is not None and any(share.values)


def unserved(names: Sequence[str], splits: Splits) -> Iterator[tuple[str, str]]:
    """Evaluations that data cannot serve, and the clause that says why: a field that one of its parts does not have."""
    for name in names:
        for field in components.constant(EVALUATIONS, name, "NEEDS"):
            if not all(field in images.fields for images in (splits.train, splits.validation, splits.test)):
                yield name, f"it needs the field {field} ({VOCABULARY[field].meaning}), which this data does not have"
                break


def check_evaluations(config: Config, space: Space, splits: Splits) -> None:
    """Data and space can serve the evaluations that a configuration names.

    Raises:
        ConfigError: the data lacks a field of one, no network of the space has the text tower that one needs, or not
            every one has that which a score needs.
    """
    read_texts = any(
        CAPTION in needs_of(name, {})
        for _, prefix in prefixes(space)
        for name in values_of(space, "pretraining", f"{prefix}objective")
    )
    for name in config.family.assess:
        if not read_texts and components.constant(EVALUATIONS, name, "TEXTS"):
            raise ConfigError(
                f"family.assess has evaluation '{name}': it needs a text tower, which pretraining.objective clip "
                f"leaves, and space '{space.name}' offers no such objective; leave it out, or choose another space"
            )
    scored = [name.split(".")[1] for name, _ in config.search.weights if "." in name]
    reading = [name for name in scored if components.constant(EVALUATIONS, name, "TEXTS")]
    for _, prefix in prefixes(space) if reading else ():
        objective = space.pretraining.get(f"{prefix}objective")
        alone = objective is not None and NO_PRETRAINING in objective.values
        left = f"'{NO_PRETRAINING}' of 'pretraining.{prefix}objective'" if alone else leaves_no_texts(space, prefix)
        if left is not None:
            raise ConfigError(
                f"search.score has evaluation '{reading[0]}': it needs the text tower that pretraining.objective clip "
                f"leaves, and {left} leaves none; restrict space '{space.name}' to clip, or score by something else"
            )
    for key, names in (("family.assess", config.family.assess), ("search.score", scored)):
        for name, reason in unserved(names, splits):
            raise ConfigError(f"{key} has evaluation '{name}': {reason}; leave it out, or choose another source")
