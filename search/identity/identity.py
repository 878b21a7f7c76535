"""The identity of a run: data, space and configuration, under one digest.

It is settled when the run begins and kept in ``run.json``. The study, the checkpoints' folder, the family and MLflow
carry its digest, so that a folder can be renamed, moved and copied, and two runs of one name never meet.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from search.identity.data import DataIdentity
from search.setting.sections.data import PLACES as PLACES_OF_DATA
from spaces.space import Space
from trainables.data.splitting import DRAWN, SPLIT

PLACES = ("name", "runs", "run", "ray", "tracking")
"""Keys of the configuration that say where and with how much a run works, and not what comes out of it."""

OF_SPLIT = f"data.{SPLIT}"
MOST_NAMED = 5
"""Differences that a sentence lists."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a run is.

    Attributes:
        name: that the configuration gave it.
        study: name of the study in its storage, and of the folder of checkpoints that are kept elsewhere.
        data: the images.
        space: name and, by address, values and conditions.
        configuration: whole, as JSON values.
        begun: whether the study has been made, so that one that is missing was lost.
    """

    name: str
    study: str
    data: DataIdentity
    space: Mapping[str, Any]
    configuration: Mapping[str, Any]
    begun: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 of data, space, and what decides in the configuration."""
        return digest_of(self.data, self.space, self.configuration)

    def to_json(self) -> dict[str, Any]:
        """A JSON value that ``from_json`` reads."""
        return {
            "name": self.name,
            "study": self.study,
            "digest": self.digest,
            "begun": self.begun,
            "data": self.data.to_json(),
            "space": dict(self.space),
            "configuration": dict(self.configuration),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read ``to_json``'s form.

        Raises:
            ValueError: something was changed, so that the digest is another's.
        """
        identity = cls(
            name=value["name"],
            study=value["study"],
            begun=value["begun"],
            data=DataIdentity.from_json(value["data"]),
            space=value["space"],
            configuration=value["configuration"],
        )
        if identity.digest != value["digest"]:
            raise ValueError("its digest is not that of its content")
        return identity


def new_identity(name: str, configuration: Mapping[str, Any], data: DataIdentity, space: Space) -> Identity:
    """The identity of a run that begins; its study's name ends in twelve digits of the digest."""
    described = described_space(space)
    digest = digest_of(data, described, configuration)
    return Identity(name=name, study=f"{name}-{digest[:12]}", data=data, space=described, configuration=configuration)


def digest_of(data: DataIdentity, space: Mapping[str, Any], configuration: Mapping[str, Any]) -> str:
    """SHA-256 of a run's data, space and configuration."""
    deciding = dict(sorted(deciding_keys(configuration)))
    if deciding.get(OF_SPLIT) == DRAWN:
        del deciding[OF_SPLIT]  # as in runs that were begun when there was no other
    content = {"data": data.to_json(), "space": space, "configuration": deciding}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def described_space(space: Space) -> dict[str, Any]:
    """What may be chosen, as JSON values."""
    dimensions = {
        address: list(dimension.values) for address, dimension in zip(space.addresses, space.dimensions, strict=True)
    }
    conditions = {address: [one.parent, list(one.values)] for address, one in space.conditions.items()}
    content = {"name": space.name, "backbone": space.backbone, "dimensions": dimensions, "conditions": conditions}
    described: dict[str, Any] = json.loads(json.dumps(content))
    return described


def changed_space(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """What of a space is not as it was, in words."""
    if now["name"] != before["name"]:
        return [f"it is '{now['name']}', was '{before['name']}'"]
    new, old = now["dimensions"], before["dimensions"]
    words = [f"{address} is new" for address in new if address not in old]
    words += [f"{address} is gone" for address in old if address not in new]
    words += [f"{address} has other values" for address in old if address in new and old[address] != new[address]]
    conditioned = now["conditions"] != before["conditions"] or now["backbone"] != before["backbone"]
    return words or (["its conditions are others"] if conditioned else [])


def changed_keys(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Keys of a configuration that decide what comes out, and are not as they were, with both values."""
    new, old = dict(deciding_keys(now)), dict(deciding_keys(before))
    return [
        f"{key} is {_shown(new, key)}, was {_shown(old, key)}"
        for key in dict.fromkeys([*old, *new])
        if new.get(key) != old.get(key)
    ]


def listed(words: list[str]) -> str:
    """The first of some differences."""
    more = len(words) - MOST_NAMED
    return "; ".join(words[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _shown(values: Mapping[str, Any], key: str) -> str:
    text = json.dumps(values[key], ensure_ascii=False) if key in values else "not there"
    return text if len(text) <= 80 else f"{text[:77]}..."


def deciding_keys(configuration: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Flat keys and values, without those that only say where and with how much."""
    for section, content in configuration.items():
        if section in PLACES:
            continue
        for key, value in _flat(section, content):
            # What lies at the places of data is in the digest, wherever it lies.
            if not (section == "data" and key.split(".")[-1] in PLACES_OF_DATA):
                yield key, value


def _flat(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for below, inner in value.items():
            yield from _flat(f"{key}.{below}", inner)
    else:
        yield key, value
