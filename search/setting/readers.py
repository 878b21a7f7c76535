"""Whether something reads what a space and a configuration say."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from search.setting.config import Config, ConfigError
from search.setting.sections.family import FamilySection
from spaces import components
from spaces.candidate import (
    AGREEMENT,
    FURTHER,
    NO_PRETRAINING,
    OWN_PICTURES,
    SHARE,
    STAGE_COUNTS,
    STAGES,
    WEIGHT,
    WEIGHTS,
)
from spaces.components import ADAPTATIONS, BACKBONES, EXECUTORS, INGREDIENTS, OBJECTIVES, PICTURES, Kind
from spaces.joined import FAMILY as FAMILY_ADDRESS
from spaces.space import Space
from trainables.batches.fields import CAPTION, check_field, fields_of, needs_of
from trainables.data._synonyms import are_named
from trainables.splits import Splits

FAMILY = FAMILY_ADDRESS.removeprefix("architecture.")

CHOICES: Mapping[str, Mapping[str, Kind]] = {
    "pretraining": {"objective": OBJECTIVES, "source": PICTURES},
    "adaptation": {"method": ADAPTATIONS},
}
"""By role, the addresses whose values are names of components, and of which kind."""

OTHERS: Mapping[str, Kind] = {"recipe": INGREDIENTS, "pretraining": INGREDIENTS, "adaptation": ADAPTATIONS}
"""By role, the kind of what an address names that no choice names."""

LAST_STAGE = "distilled"
"""The stages of a pretraining of which the last agrees with the one before."""
EXTENT = (SHARE, STAGES, FURTHER)
"""The addresses of pretraining that the trainer itself reads."""


def check_readers(space: Space, pools: Sequence[str] = ()) -> None:
    """Every address of the space is read by a keyword: of its backbone, an ingredient, an objective or an adaptation.

    Args:
        space: whose addresses.
        pools: names of ``data.pools``, which are sources of pretraining beside the files.

    Raises:
        ConfigError: nothing reads an address.
    """
    unread = list(_unread(space, pools))
    if unread:
        raise ConfigError(f"nothing can train space '{space.name}': {'; '.join(unread)}")


def _unread(space: Space, pools: Sequence[str]) -> Iterator[str]:
    """What nothing reads, one clause each."""
    for part in components.parts_of(space.objective):
        if part not in components.names(OBJECTIVES):
            yield f"objective '{part}' is not in {_folder(OBJECTIVES)}"
    joined = FAMILY in space.architecture
    for family in map(str, space.architecture[FAMILY].values if joined else (space.backbone,)):
        prefix = f"{family}." if joined else ""
        yield from _unread_architecture(space, family, prefix)
        for role in CHOICES:
            yield from _unread_choices(space, role, prefix, pools)
            yield from _unread_keywords(space, role, prefix)
        yield from _without_texts(space, prefix)
    for address in space.recipe:
        yield from _unread_keyword(OTHERS["recipe"], "recipe", address, address)


def _unread_architecture(space: Space, family: str, prefix: str) -> Iterator[str]:
    reads = _reads(BACKBONES, family)
    for address in space.architecture:
        keyword = address.removeprefix(prefix).partition(".")[0]
        if address != FAMILY and address.startswith(prefix) and not reads(keyword):
            yield f"'architecture.{address}' needs that keyword in {_folder(BACKBONES)}{family}.py"


def _unread_choices(space: Space, role: str, prefix: str, pools: Sequence[str]) -> Iterator[str]:
    """Names that a role's choices offer and no file carries."""
    for choice, kind in CHOICES[role].items():
        for name in _names(space, role, prefix + choice):
            if name not in components.names(kind) and not (kind is PICTURES and name in pools):
                yield f"'{role}.{prefix}{choice}' has the value '{name}', which is not in {_folder(kind)}"


def _unread_keywords(space: Space, role: str, prefix: str) -> Iterator[str]:
    """Addresses below a component's name that are no keyword of it."""
    kinds = _kinds(space, role, prefix)
    for address in getattr(space, role):
        local = address.removeprefix(prefix)
        if role == "pretraining" and address.startswith(prefix) and local.partition(".")[0] in (WEIGHT, WEIGHTS):
            yield from _unread_weight(space, prefix, address, local)
        elif address.startswith(prefix) and local not in (*CHOICES[role], *EXTENT):
            kind = kinds.get(local.partition(".")[0], OTHERS[role])
            yield from _unread_keyword(kind, role, address, local)


def _unread_weight(space: Space, prefix: str, address: str, local: str) -> Iterator[str]:
    """What a weight lacks: a joint objective, which has the part that it is named after."""
    joint = [name for name in _values(space, "pretraining", f"{prefix}objective") if len(components.parts_of(name)) > 1]
    part = local.partition(".")[2]
    if part == AGREEMENT and LAST_STAGE in _values(space, "pretraining", f"{prefix}{STAGES}"):
        return
    if not joint or (part and not any(part in components.parts_of(name) for name in joint)):
        needed = f"has the part '{part}'" if part else "has several parts"
        yield f"'pretraining.{address}' needs a value of 'pretraining.{prefix}objective' that {needed}, as in 'a+b'"


def _without_texts(space: Space, prefix: str) -> Iterator[str]:
    """Adaptations that need a text tower, where a pretraining leaves none."""
    reading = [name for name in _names(space, "adaptation", f"{prefix}method") if _reads(ADAPTATIONS, name)("texts")]
    if not reading:
        return
    objectives = _values(space, "pretraining", f"{prefix}objective")
    without = [
        name for name in objectives if all(part in components.names(OBJECTIVES) for part in components.parts_of(name))
    ]
    without = [name for name in without if CAPTION not in needs_of(name, {})]
    if without or not objectives:
        left = f"'{without[0]}' of 'pretraining.{prefix}objective'" if without else "training without pretraining"
        yield (
            f"'adaptation.{prefix}method' has the value '{reading[0]}', which needs a text tower, and {left} leaves "
            "none; offer clip alone, or leave the method out"
        )


def check_stages(space: Space, config: Config) -> None:
    """Every stage of a pretraining that the space offers gets a report in the search's trainings and in the final ones.

    Raises:
        ConfigError: there are too few epochs, or stages have a value that they cannot have.
    """
    for address, dimension in space.pretraining.items():
        if address.rpartition(".")[2] != STAGES:
            continue
        for value in map(str, dimension.values):
            if value not in STAGE_COUNTS:
                raise ConfigError(f"'pretraining.{address}' can be {', '.join(STAGE_COUNTS)}; given '{value}'")
            least = STAGE_COUNTS[value] + 1
            for key, epochs in (("search.epochs", config.search.epochs), ("family.epochs", config.family.epochs)):
                if epochs < least:
                    raise ConfigError(
                        f"{key} is {epochs}; 'pretraining.{address}' has the value '{value}', whose stages and "
                        f"training need {least} epochs: give it more, or leave the value out by space.restrict"
                    )


def check_fields(space: Space, splits: Splits) -> None:
    """The images to pretrain on, of every source, have what the objectives of the space read of them.

    What an objective reads for one of its knobs alone is looked for in the data's own images.

    Raises:
        FieldError: they lack a field; the message names it, and the source.
    """
    needs: dict[str, set[str]] = {}
    joined = FAMILY in space.architecture
    families = map(str, space.architecture[FAMILY].values) if joined else (space.backbone,)
    for prefix in (f"{family}." if joined else "" for family in families):
        for objective in _values(space, "pretraining", f"{prefix}objective"):
            for source in _sources(space, prefix, objective):
                needs.setdefault(source, set()).update(needs_of(objective, {}))
            needs.setdefault(OWN_PICTURES, set()).update(_needs_of_knobs(space, prefix, objective))
    for source, names in needs.items():
        fields, images = _images_of(source, splits) if names else ({}, "")
        for name in sorted(names):
            check_field(name, fields, images)


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


def check_names(space: Space, splits: Splits) -> None:
    """Captions name classes, where a space offers an adaptation that learns from the images that they name.

    Raises:
        ConfigError: none does.
    """
    methods = {
        name for role in space.adaptation for name in _names(space, "adaptation", role) if role.endswith("method")
    }
    retrieving = sorted(name for name in methods if _reads(ADAPTATIONS, name)("synonyms"))
    if retrieving and not are_named(splits):
        raise ConfigError(
            f"space '{space.name}' offers adaptation.method '{retrieving[0]}', which learns from images whose captions "
            "name a class, and no caption does; say in data.synonyms what captions call the classes, or leave it out"
        )


def _needs_of_knobs(space: Space, prefix: str, objective: str) -> Iterator[str]:
    """Fields that an objective reads with some value of one of its knobs."""
    for part in components.parts_of(objective):
        for address, dimension in space.pretraining.items():
            local = address.removeprefix(prefix)
            if address.startswith(prefix) and local.startswith(f"{part}."):
                for value in dimension.values:
                    yield from needs_of(part, {local.removeprefix(f"{part}."): value})


def _sources(space: Space, prefix: str, objective: str) -> Sequence[str]:
    """Where the images come from that an objective may be pretrained on."""
    address = f"{prefix}source"
    condition = space.conditions.get(f"pretraining.{address}")
    chosen = condition is None or f"pretraining.{prefix}objective" != condition.parent or objective in condition.values
    if chosen and address in space.pretraining:
        return tuple(map(str, space.pretraining[address].values))
    own = {str(components.constant(OBJECTIVES, part, "SOURCE")) for part in components.parts_of(objective)}
    return tuple(own) if len(own) == 1 else (OWN_PICTURES,)


def _images_of(source: str, splits: Splits) -> tuple[Mapping[str, Any], str]:
    """The fields of the images of a source, and what people call these."""
    if source == OWN_PICTURES:
        return fields_of(splits.unlabelled), "these images"
    pool = splits.pools.get(source)  # else pictures that are made, of which nothing is known
    return {} if pool is None else fields_of(pool), f"the images of pretraining.source '{source}'"


def _kinds(space: Space, role: str, prefix: str) -> dict[str, Kind]:
    """The kind of each component that a role's choices offer, by name; with the sources that objectives have anyway."""
    kinds = {name: kind for choice, kind in CHOICES[role].items() for name in _names(space, role, prefix + choice)}
    objectives = [name for name, kind in kinds.items() if kind is OBJECTIVES and name in components.names(kind)]
    sources = [components.constant(OBJECTIVES, name, "SOURCE") for name in objectives]
    return kinds | {source: PICTURES for source in sources if source != OWN_PICTURES}


def _names(space: Space, role: str, address: str) -> list[str]:
    """The names that a choice offers, those of each part where they are joined."""
    return [part for value in _values(space, role, address) for part in components.parts_of(value)]


def _values(space: Space, role: str, address: str) -> list[str]:
    """The values that a choice offers; none where the space does not have it."""
    dimension = getattr(space, role).get(address)
    values = () if dimension is None else map(str, dimension.values)
    return [value for value in values if value not in (NO_PRETRAINING, OWN_PICTURES)]


def _unread_keyword(kind: Kind, role: str, address: str, local: str) -> Iterator[str]:
    """What the file of ``mixup`` lacks, where ``local`` is ``mixup.alpha`` and it has no such keyword."""
    name, _, keyword = local.partition(".")
    if not _reads(kind, name)(keyword.partition(".")[0]):
        yield f"'{role}.{address}' needs that keyword in {_folder(kind)}{name}.py"


def _folder(kind: Kind) -> str:
    return f"{kind.package.replace('.', '/')}/"


def _reads(kind: Kind, name: str) -> Callable[[str], bool]:
    """Whether a component's function has a keyword; False of all where there is no such component."""
    return components.parameters(kind, name).reads if name in components.names(kind) else lambda _: False


def check_family_objective(family: FamilySection) -> None:
    """The family's objective exists, compares a network with a teacher, and reads what the section says of it.

    Raises:
        ConfigError: it does not.
    """
    name = family.objective
    taught = [one for one in components.names(OBJECTIVES) if one != AGREEMENT]  # whose teacher is an earlier stage
    compares = {one: components.constant(OBJECTIVES, one, "COMPARES") for one in taught}
    teachable = [one for one, what in compares.items() if what is not None]
    if name not in teachable:
        raise ConfigError(f"family.objective is '{name}'; it needs one with a teacher: {', '.join(teachable)}")
    teachers = family.teachers if isinstance(family.teachers, int) else len(family.teachers)
    if not teachers:
        return
    if not components.constant(OBJECTIVES, name, "LABELS") and family.label_weight:
        raise ConfigError(f"family.objective '{name}' reads no labels: set family.label_weight to 0")
    if compares[name] == "features":
        _check_features(family, teachers)


def check_packages(space: Space) -> None:
    """The 8-bit optimizers that a space offers can be had.

    Raises:
        ConfigError: it offers some, and their package is not installed.
    """
    offered = {
        str(name)
        for address in space.addresses
        if address.startswith("recipe.") and address.endswith("optimizer.name")
        for name in space.dimension(address).values
    }
    eight_bit = sorted(offered.intersection(components.constant(INGREDIENTS, "optimizer", "EIGHT_BIT")))
    if eight_bit and find_spec("bitsandbytes") is None:
        raise ConfigError(
            f"space '{space.name}' offers the optimizers {', '.join(eight_bit)}, which need bitsandbytes: pip install "
            "bitsandbytes, or restrict recipe.optimizer.name to the others"
        )


def check_soup(family: FamilySection, space: Space) -> None:
    """A family's soups have something to mix: trainings that begin from the same weights.

    Raises:
        ConfigError: all candidates of the space begin from random weights.
    """
    parts = [address.split(".") for address in space.addresses]
    if family.soup != "none" and not any(part[0] == "pretraining" or "weights" in part for part in parts):
        raise ConfigError(
            f"family.soup is '{family.soup}', and space '{space.name}' has neither pretraining nor pretrained weights: "
            "trainings that begin from random weights cannot be mixed; set it to none, or choose another space"
        )


def _check_features(family: FamilySection, teachers: int) -> None:
    for wrong, remedy in (
        (family.stored_targets, "stored targets hold no features: set family.stored_targets to false"),
        (teachers > 1, f"{teachers} teachers have no common features: set family.teachers to 1"),
        (family.temperature != 1, "features have no temperature: set family.temperature to 1"),
        (family.label_weight == 0, "only labels train the classifier: set family.label_weight above 0"),
    ):
        if wrong:
            raise ConfigError(f"family.objective '{family.objective}' compares features; {remedy}")


def check_executor(config: Config) -> None:
    """The executor offers what the sections ``run`` and ``ray`` ask of it.

    Raises:
        ConfigError: it does not.
    """
    run = config.run
    wanted = {
        "workers": f"run.workers {run.workers}" if run.workers > 1 else "",
        "workers_per_trial": f"run.workers_per_trial {run.workers_per_trial}" if run.workers_per_trial > 1 else "",
        "concurrent": f"run.concurrent {run.concurrent}" if (run.concurrent or 1) > 1 else "",
        "memory": f"run.memory {run.memory}" if run.memory else "",
        "measuring": f"run.gpus {run.gpus}" if run.measures else "",
        "address": f"ray.address '{config.ray.address}'" if config.ray.address is not None else "",
    }
    offers = {name: components.constant(EXECUTORS, name, "OFFERS") for name in components.names(EXECUTORS)}
    for key, words in wanted.items():
        if words and key not in offers[run.executor]:
            able = " or ".join(name for name, keys in offers.items() if key in keys)
            raise ConfigError(f"{words} is more than run.executor '{run.executor}' offers; use run.executor: {able}")
    if run.workers_per_trial > 1 and (run.measures or (run.gpus != "auto" and 0 < run.gpus < 1)):
        raise ConfigError(
            "'auto' measures trials of one worker, and only they can share a GPU: with run.workers_per_trial "
            f"{run.workers_per_trial}, give run.gpus in whole GPUs of a worker, and run.memory in bytes"
        )
