"""Load a source by name, once in a process."""

import errno
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from inspect import signature
from typing import Any

from spaces import components
from trainables.batches.fields import misfits
from trainables.data import unlabelled_folder
from trainables.data._captions import disturbed
from trainables.data._clips import with_clips
from trainables.data._keywords import POOLS, UNLABELLED, check_types
from trainables.data._pools import pools_of
from trainables.data._super_classes import with_super_classes
from trainables.data._synonyms import with_synonyms
from trainables.data._text_vectors import with_text_vectors
from trainables.data.splitting import DRAWN, SPLIT, with_labels, with_share
from trainables.splits import DataError, Joined, Splits

LABELS = "labels"
WRONG_CAPTIONS, CLASS_CAPTIONS, SYNONYMS = "wrong_captions", "class_captions", "synonyms"
TEXT_VECTORS = "text_vectors"
CLIPS, SUPER_CLASSES = "clips", "super_classes"
SHARE = "share"
COMMON = (
    SHARE,
    LABELS,
    UNLABELLED,
    POOLS,
    WRONG_CAPTIONS,
    CLASS_CAPTIONS,
    SYNONYMS,
    TEXT_VECTORS,
    CLIPS,
    SUPER_CLASSES,
)
"""Keywords of every source."""
PASSING = (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE)
"""Errors that are not the data's."""


def load_source(source: str, keywords: Mapping[str, Any]) -> Splits:
    """The splits of a source; the same call gives the same object, so that the trials of a process share it.

    Args:
        source: file in ``trainables/data``.
        keywords: of its ``load``; besides, every source knows ``share``, the share of the training images that are used
            at all (``trainables.data.splitting.with_share``), ``labels``, the share of the training images whose labels
            are used (``with_labels`` there; both are drawn by the source's ``split_seed``), and ``unlabelled``, a
            folder of further images that are pretrained on beside the training images, and ``pools``, further images
            that candidates may be pretrained on instead (``trainables.data._pools``), and
            ``wrong_captions`` and ``class_captions``, shares of the training images whose captions are another's or
            the name of their class (``trainables.data._captions``), ``synonyms``, names of classes in captions
            (``trainables.data._synonyms``), and ``text_vectors`` (``trainables.data._text_vectors``), and ``clips``,
            which makes clips of the frames of an object (``trainables.data._clips``), and ``super_classes``, which
            puts classes together (``trainables.data._super_classes``).

    Raises:
        DataError: the source does not have such a keyword, or cannot be used.
    """
    return _load(source, json.dumps(dict(keywords), sort_keys=True))


def defaults_of(source: str) -> dict[str, Any]:
    """The keywords of a source's ``load`` that have a default other than None, with it."""
    parameters = signature(components.load(components.SOURCES, source).load).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not one.empty and one.default is not None}


def stored_keywords(source: str, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords that a run or a member has kept. From before there was a choice of splits, they mean a drawn one."""
    return {**({SPLIT: DRAWN} if SPLIT in defaults_of(source) else {}), **keywords}


@cache
def _load(source: str, keywords: str) -> Splits:
    module, own = components.load(components.SOURCES, source), json.loads(keywords)
    common = {name: own.pop(name) for name in COMMON if name in own}
    _check_common(common)
    parameters = signature(module.load).parameters
    unknown = sorted(set(own) - set(parameters))
    if unknown:
        has = ", ".join((*parameters, *COMMON))
        raise DataError(f"data.{unknown[0]} is not a keyword of source '{source}', which has: {has}")
    missing = [name for name, parameter in parameters.items() if parameter.default is parameter.empty]
    absent = [name for name in missing if name not in own]
    if absent:
        raise DataError(f"source '{source}' needs data.{absent[0]}")
    check_types(parameters, own)
    try:
        splits: Splits = module.load(**own)
        _check_fields(source, splits)
        return _changed(splits, common, int(own.get("split_seed", 0)), own.get("cache"))
    except OSError as error:
        if error.errno in PASSING:
            raise
        raise DataError(f"source '{source}' cannot read '{error.filename or ''}': {error.strerror or error}") from error
    except TypeError as error:
        raise DataError(f"source '{source}' cannot use {own}: {error}") from error


def _check_common(common: Mapping[str, Any]) -> None:
    labels, unlabelled = common.get(LABELS, 1.0), common.get(UNLABELLED)
    if isinstance(labels, bool) or not isinstance(labels, int | float):
        raise DataError(f"data.{LABELS} is a share of the training images, such as 0.1, given {labels!r}")
    if common.get(SHARE, 1.0) != 1 and labels != 1:
        raise DataError(f"data.{SHARE} and data.{LABELS} cannot both be below 1; leave one out")
    if unlabelled is not None and (not isinstance(unlabelled, str) or not unlabelled):
        raise DataError(f"data.{UNLABELLED} is {unlabelled!r}; it must be the path of a folder")


def _changed(splits: Splits, common: Mapping[str, Any], seed: int, cache: str | None) -> Splits:
    """Splits as the keywords of every source have them."""
    if (clips := common.get(CLIPS)) is not None:
        splits = with_clips(splits, clips)
    if (groups := common.get(SUPER_CLASSES)) is not None:
        splits = with_super_classes(splits, groups)
    if (share := common.get(SHARE, 1.0)) != 1:
        splits = with_share(splits, share, seed)
    splits = disturbed(splits, common.get(WRONG_CAPTIONS, 0.0), common.get(CLASS_CAPTIONS, 0.0), seed)
    splits = with_labels(splits, float(common.get(LABELS, 1.0)), seed)
    if (vectors := common.get(TEXT_VECTORS)) is not None:
        splits = with_text_vectors(splits, vectors)
    splits = replace(splits, pools=pools_of(common.get(POOLS, {}), splits, load_source))
    if (unlabelled := common.get(UNLABELLED)) is not None:
        if splits.decoding.frames > 1:
            raise DataError(
                f"data.{UNLABELLED} is a folder of single pictures, and the data's images are clips of "
                f"{splits.decoding.frames} frames; leave it out"
            )
        further = unlabelled_folder.pictures(splits, path=unlabelled, cache=cache)
        splits = replace(splits, pool=Joined((splits.unlabelled, further)))
    synonyms = common.get(SYNONYMS)
    return splits if synonyms is None else with_synonyms(splits, synonyms)


def _check_fields(source: str, splits: Splits) -> None:
    for images in (splits.train, splits.validation, splits.test):
        wrong = list(misfits(images.fields, len(images), splits.channels))
        if wrong:
            raise DataError(f"source '{source}' has wrong fields: {'; '.join(wrong)}")
