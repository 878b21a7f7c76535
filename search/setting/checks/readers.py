"""Whether something reads what a space and a configuration say."""

from collections.abc import Iterator, Sequence

from search.setting.checks.choices import CHOICES, FAMILY, OTHERS, kinds_of, names_of, prefixes, reads, values_of
from search.setting.config import ConfigError
from spaces import components
from spaces.candidate import AGREEMENT, FURTHER, SHARE, STAGES, WEIGHT, WEIGHTS
from spaces.components import ADAPTATIONS, BACKBONES, OBJECTIVES, PICTURES, Kind
from spaces.space import Space
from trainables.batches.fields import CAPTION, needs_of

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
    for family, prefix in prefixes(space):
        yield from _unread_architecture(space, family, prefix)
        for role in CHOICES:
            yield from _unread_choices(space, role, prefix, pools)
            yield from _unread_keywords(space, role, prefix)
        yield from _without_texts(space, prefix)
    for address in space.recipe:
        yield from _unread_keyword(OTHERS["recipe"], "recipe", address, address)


def _unread_architecture(space: Space, family: str, prefix: str) -> Iterator[str]:
    has = reads(BACKBONES, family)
    for address in space.architecture:
        keyword = address.removeprefix(prefix).partition(".")[0]
        if address != FAMILY and address.startswith(prefix) and not has(keyword):
            yield f"'architecture.{address}' needs that keyword in {_folder(BACKBONES)}{family}.py"


def _unread_choices(space: Space, role: str, prefix: str, pools: Sequence[str]) -> Iterator[str]:
    """Names that a role's choices offer and no file carries."""
    for choice, kind in CHOICES[role].items():
        for name in names_of(space, role, prefix + choice):
            if name not in components.names(kind) and not (kind is PICTURES and name in pools):
                yield f"'{role}.{prefix}{choice}' has the value '{name}', which is not in {_folder(kind)}"


def _unread_keywords(space: Space, role: str, prefix: str) -> Iterator[str]:
    """Addresses below a component's name that are no keyword of it."""
    kinds = kinds_of(space, role, prefix)
    for address in getattr(space, role):
        local = address.removeprefix(prefix)
        if role == "pretraining" and address.startswith(prefix) and local.partition(".")[0] in (WEIGHT, WEIGHTS):
            yield from _unread_weight(space, prefix, address, local)
        elif address.startswith(prefix) and local not in (*CHOICES[role], *EXTENT):
            kind = kinds.get(local.partition(".")[0], OTHERS[role])
            yield from _unread_keyword(kind, role, address, local)


def _unread_weight(space: Space, prefix: str, address: str, local: str) -> Iterator[str]:
    """What a weight lacks: a joint objective, which has the part that it is named after."""
    joint = [
        name for name in values_of(space, "pretraining", f"{prefix}objective") if len(components.parts_of(name)) > 1
    ]
    part = local.partition(".")[2]
    if part == AGREEMENT and LAST_STAGE in values_of(space, "pretraining", f"{prefix}{STAGES}"):
        return
    if not joint or (part and not any(part in components.parts_of(name) for name in joint)):
        needed = f"has the part '{part}'" if part else "has several parts"
        yield f"'pretraining.{address}' needs a value of 'pretraining.{prefix}objective' that {needed}, as in 'a+b'"


def _without_texts(space: Space, prefix: str) -> Iterator[str]:
    """Adaptations that need a text tower, where a pretraining leaves none."""
    reading = [name for name in names_of(space, "adaptation", f"{prefix}method") if reads(ADAPTATIONS, name)("texts")]
    if not reading:
        return
    left = leaves_no_texts(space, prefix)
    if left is not None:
        yield (
            f"'adaptation.{prefix}method' has the value '{reading[0]}', which needs a text tower, and {left} leaves "
            "none; offer clip alone, or leave the method out"
        )


def leaves_no_texts(space: Space, prefix: str) -> str | None:
    """What a pretraining below a prefix may be that leaves no text tower; None where each leaves one."""
    objectives, files = values_of(space, "pretraining", f"{prefix}objective"), components.names(OBJECTIVES)
    without = [name for name in objectives if all(part in files for part in components.parts_of(name))]
    without = [name for name in without if CAPTION not in needs_of(name, {})]
    if without:
        return f"'{without[0]}' of 'pretraining.{prefix}objective'"
    return None if objectives else "training without pretraining"


def _unread_keyword(kind: Kind, role: str, address: str, local: str) -> Iterator[str]:
    """What the file of ``mixup`` lacks, where ``local`` is ``mixup.alpha`` and it has no such keyword."""
    name, _, keyword = local.partition(".")
    if not reads(kind, name)(keyword.partition(".")[0]):
        yield f"'{role}.{address}' needs that keyword in {_folder(kind)}{name}.py"


def _folder(kind: Kind) -> str:
    return f"{kind.package.replace('.', '/')}/"
