"""What a contract, written as a ``Protocol``, asks for."""

from inspect import get_annotations


def members(contract: type) -> list[str]:
    """Names of the attributes and methods, sorted."""
    names = {name for part in contract.__mro__ for name in (*get_annotations(part), *vars(part))}
    return sorted(name for name in names if not name.startswith("_"))


def lacking(thing: object, contract: type) -> list[str]:
    """The members that a module or an object does not have."""
    return [name for name in members(contract) if not hasattr(thing, name)]
