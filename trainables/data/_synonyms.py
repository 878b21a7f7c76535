"""What captions call the classes: ``data.synonyms``, of which the most frequent names a class."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from trainables.batches.fields import CAPTION, fields_of
from trainables.language.names import counts_of, most_frequent, named_by, texts_of
from trainables.splits import DataError, Splits
from trainables.survey import Survey

SHOWN = 12
"""Classes that a remark names at most."""


def with_synonyms(splits: Splits, synonyms: Any) -> Splits:
    """Splits that know the classes by other names, too, and by the one that most captions have.

    Captions are counted over all images that are pretrained on, those of pools too.

    Args:
        splits: the data, with its pools.
        synonyms: by class its names, in the configuration's form; a class that is left out has its own.

    Raises:
        DataError: they are no names of classes, or there are no captions.
    """
    names = _checked(synonyms, splits.classes)
    captions = _captions(splits)
    if not captions:
        raise DataError("data.synonyms are looked for in captions, which this data does not have; set data.captions")
    counts = counts_of(captions, names)
    remarks = tuple(_remarks(counts))
    survey = splits.survey or Survey()
    return replace(
        splits,
        synonyms=names,
        called=tuple(most_frequent(count) for count in counts.values()),
        survey=replace(survey, remarks=(*survey.remarks, *remarks)),
    )


def _captions(splits: Splits) -> list[list[str]]:
    """Those of all images that are pretrained on."""
    pictures = (splits.unlabelled, *splits.pools.values())
    return [texts for one in pictures if CAPTION in (fields := fields_of(one)) for texts in texts_of(fields[CAPTION])]


def are_named(splits: Splits) -> bool:
    """Whether a caption has a name of a class."""
    synonyms = splits.synonyms or {name: (name,) for name in splits.classes}
    captions = _captions(splits)
    return any(named_by(captions, name).any() for names in synonyms.values() for name in names)


def _checked(synonyms: Any, classes: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The names of every class."""
    if not isinstance(synonyms, dict) or not all(
        isinstance(names, list) and names and all(isinstance(name, str) and name.strip() for name in names)
        for names in synonyms.values()
    ):
        raise DataError(f"data.synonyms is {str(synonyms)[:60]}; it must be classes with lists of names: four: [four]")
    unknown = [name for name in synonyms if name not in classes]
    if unknown:
        some = ", ".join(classes[:SHOWN]) + (" and others" if len(classes) > SHOWN else "")
        raise DataError(f"data.synonyms has '{unknown[0]}', which is no class; there are {some}")
    return {name: tuple(map(str.strip, synonyms.get(name, [name]))) for name in classes}


def _remarks(counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    called = [f"{name} '{most_frequent(count)}' ({max(count.values())})" for name, count in counts.items()]
    more = f" and {len(called) - SHOWN} more" if len(called) > SHOWN else ""
    yield f"captions call classes most often, in so many images: {', '.join(called[:SHOWN])}{more}"
    unnamed = [name for name, count in counts.items() if not any(count.values())]
    if unnamed:
        yield f"no caption names {len(unnamed)} class(es): {', '.join(unnamed[:SHOWN])}"
