"""Whether something reads what a space and a configuration say."""

from collections.abc import Mapping
from inspect import Parameter, signature

from search.setting.config import ConfigError, FamilySection
from spaces import components
from spaces.joined import FAMILY as FAMILY_ADDRESS
from spaces.space import Space
from trainables.training.pretraining import NONE, OWN

FAMILY = FAMILY_ADDRESS.removeprefix("architecture.")


def check_readers(space: Space) -> None:
    """Every address of the space is read by a keyword: of its backbone, an ingredient, an objective or an adaptation.

    Raises:
        ConfigError: nothing reads an address.
    """
    unread: list[str] = []
    if space.objective not in components.names(components.OBJECTIVES):
        unread.append(f"objective '{space.objective}' is not in trainables/objectives/")
    families = space.architecture[FAMILY].values if FAMILY in space.architecture else (space.backbone,)
    for family in map(str, families):
        prefix = f"{family}." if FAMILY in space.architecture else ""
        below = [address for address in space.architecture if address != FAMILY and address.startswith(prefix)]
        read_by = f"trainables/backbones/{family}.py"
        keywords = _keywords(components.BACKBONES, family, "build")
        for address in below:
            if not _reads(keywords, address.removeprefix(prefix).partition(".")[0]):
                unread.append(f"'architecture.{address}' needs that keyword in {read_by}")
        unread += _unread_stages(space, prefix)
    for address in space.recipe:
        unread += _unread(components.INGREDIENTS, "recipe", address, address)
    if unread:
        raise ConfigError(f"nothing can train space '{space.name}': {'; '.join(unread)}")


def _unread_stages(space: Space, prefix: str) -> list[str]:
    """What nothing reads of one family's pretraining and adaptation."""
    unread: list[str] = []
    choices = {
        "pretraining": {"objective": components.OBJECTIVES, "source": components.PICTURES},
        "adaptation": {"method": components.ADAPTATIONS},
    }
    for role, kinds in choices.items():
        given = getattr(space, role)
        kind_of: dict[str, components.Kind] = {}
        for chosen, kind in kinds.items():
            values = given[f"{prefix}{chosen}"].values if f"{prefix}{chosen}" in given else ()
            folder = kind.package.replace(".", "/")
            for name in (name for name in map(str, values) if name not in (NONE, OWN)):
                kind_of[name] = kind
                if name not in components.names(kind):
                    unread.append(f"'{role}.{prefix}{chosen}' has the value '{name}', which is not in {folder}/")
                elif kind is components.OBJECTIVES:
                    default = components.load(kind, name).SOURCE
                    kind_of |= {} if default == OWN else {default: components.PICTURES}
        for address in (address for address in given if address.startswith(prefix)):
            local = address.removeprefix(prefix)
            if local in kinds or local == "share":
                continue
            other = components.ADAPTATIONS if role == "adaptation" else components.INGREDIENTS
            unread += _unread(kind_of.get(local.partition(".")[0], other), role, address, local)
    return unread


def _unread(kind: components.Kind, role: str, address: str, local: str) -> list[str]:
    """Nothing, or what the keyword of a component's file lacks."""
    name, _, keyword = local.partition(".")
    if _reads(_keywords(kind, name, kind.defines), keyword.partition(".")[0]):
        return []
    return [f"'{role}.{address}' needs that keyword in {kind.package.replace('.', '/')}/{name}.py"]


def check_family_objective(family: FamilySection) -> None:
    """The family's objective exists, compares a network with a teacher, and reads what it is given."""
    name = family.objective
    modules = {name: components.load(components.OBJECTIVES, name) for name in components.names(components.OBJECTIVES)}
    fit = [name for name, module in modules.items() if module.COMPARES is not None]
    if name not in fit:
        raise ConfigError(f"family.objective is '{name}'; it needs one with a teacher: {', '.join(fit)}")
    teachers = family.teachers if isinstance(family.teachers, int) else len(family.teachers)
    module = modules[name]
    if teachers and not module.LABELS and family.label_weight:
        raise ConfigError(f"family.objective '{name}' reads no labels: set family.label_weight to 0")
    if teachers and module.COMPARES == "features":
        for wrong, remedy in (
            (family.stored_targets, "stored targets hold no features: set family.stored_targets to false"),
            (teachers > 1, f"{teachers} teachers have no common features: set family.teachers to 1"),
            (family.temperature != 1, "features have no temperature: set family.temperature to 1"),
            (family.label_weight == 0, "only labels train the classifier: set family.label_weight above 0"),
        ):
            if wrong:
                raise ConfigError(f"family.objective '{name}' compares features; {remedy}")


def _keywords(kind: components.Kind, name: str, function: str) -> Mapping[str, Parameter]:
    """The parameters of a component's function; none where there is no such component."""
    if name not in components.names(kind):
        return {}
    return signature(getattr(components.load(kind, name), function)).parameters


def _reads(parameters: Mapping[str, Parameter], keyword: str) -> bool:
    takes_any = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values())
    return keyword in parameters or takes_any
