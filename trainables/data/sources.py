"""Load a source by name, once in a process."""

import json
from collections.abc import Mapping
from functools import cache
from inspect import signature
from typing import Any

from spaces import components
from trainables.splits import DataError, Splits


def load_source(source: str, keywords: Mapping[str, Any]) -> Splits:
    """The splits of a source; the same call gives the same object, so that the trials of a process share it.

    Raises:
        DataError: the source does not have such a keyword, or cannot be used.
    """
    return _load(source, json.dumps(dict(keywords), sort_keys=True))


@cache
def _load(source: str, keywords: str) -> Splits:
    module = components.load(components.SOURCES, source)
    given = json.loads(keywords)
    parameters = signature(module.load).parameters
    unknown = sorted(set(given) - set(parameters))
    if unknown:
        raise DataError(f"data.{unknown[0]} is not a keyword of source '{source}', which has: {', '.join(parameters)}")
    missing = [name for name, parameter in parameters.items() if parameter.default is parameter.empty]
    absent = [name for name in missing if name not in given]
    if absent:
        raise DataError(f"source '{source}' needs data.{absent[0]}")
    try:
        splits: Splits = module.load(**given)
    except TypeError as error:
        raise DataError(f"source '{source}' cannot use {given}: {error}") from error
    return splits
