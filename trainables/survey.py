"""What the files of a data set were before they were decoded: counts that two parts of a data set add up to one of."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from trainables.decoding import Seen

ELONGATED = 2.0
"""Longer through shorter side beyond which the square in the middle shows less than half of an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Counts of files.

    Attributes:
        modes, formats: images by Pillow's names.
        shorter: images by their shorter side in pixels.
        traits: images that were ``turned`` by EXIF, are ``transparent`` or ``elongated``, or hold several ``pictures``.
        skipped: files that are no images, by kind.
        unreadable: name and reason of each image that was left out.
        remarks: sentences about the folders.
    """

    modes: Mapping[str, int] = field(default_factory=dict)
    formats: Mapping[str, int] = field(default_factory=dict)
    shorter: Mapping[int, int] = field(default_factory=dict)
    traits: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    unreadable: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, images: Iterable[Seen], unreadable: Iterable[tuple[str, str]] = ()) -> Self:
        """Count what was seen of images."""
        modes, formats, traits = Counter[str](), Counter[str](), Counter[str]()
        shorter = Counter[int]()
        for seen in images:
            modes[seen.mode] += 1
            formats[seen.format] += 1
            short, long = sorted((seen.width, seen.height))
            shorter[short] += 1
            traits["turned"] += seen.turned
            traits["transparent"] += seen.transparent
            traits["pictures"] += seen.pictures
            traits["elongated"] += long > ELONGATED * short
        return cls(modes=modes, formats=formats, shorter=shorter, traits=+traits, unreadable=tuple(unreadable))

    @property
    def images(self) -> int:
        """How many were read."""
        return sum(self.modes.values())

    def median_side(self) -> int:
        """Of the shorter sides, in pixels; 0 without images."""
        sides = sorted(self.shorter.items())
        passed = 0
        for side, count in sides:
            passed += count
            if 2 * passed >= self.images:
                return side
        return 0

    def __add__(self, other: "Survey") -> "Survey":
        counts = {
            name: Counter(getattr(self, name)) + Counter(getattr(other, name))
            for name in ("modes", "formats", "shorter", "traits", "skipped")
        }
        return Survey(**counts, unreadable=self.unreadable + other.unreadable, remarks=self.remarks + other.remarks)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read ``to_dict``'s form, whose keys JSON has turned into text."""
        plain = {item.name: content[item.name] for item in fields(cls)}
        plain["shorter"] = {int(side): count for side, count in plain["shorter"].items()}
        plain["unreadable"] = tuple((name, reason) for name, reason in plain["unreadable"])
        return cls(**{**plain, "remarks": tuple(plain["remarks"])})
