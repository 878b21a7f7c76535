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
from trainables.data._keywords import check_types
from trainables.data._pools import pools_of
from trainables.data._synonyms import with_synonyms
from trainables.data.splitting import DRAWN, SPLIT, with_labels, with_share
from trainables.splits import DataError, Joined, Splits

LABELS, UNLABELLED, POOLS = "labels", "unlabelled", "pools"
WRONG_CAPTIONS, CLASS_CAPTIONS, SYNONYMS = "wrong_captions", "class_captions", "synonyms"
SHARE = "share"
COMMON = (SHARE, LABELS, UNLABELLED, POOLS, WRONG_CAPTIONS, CLASS_CAPTIONS, SYNONYMS)
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
            the name of their class (``trainables.data._captions``), and ``synonyms``, names of classes in captions
            (``trainables.data._synonyms``).

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
    module = components.load(components.SOURCES, source)
    rest = json.loads(keywords)
    labels, unlabelled, pools = rest.pop(LABELS, 1.0), rest.pop(UNLABELLED, None), rest.pop(POOLS, {})
    share = rest.pop(SHARE, 1.0)
    wrong, of_classes = rest.pop(WRONG_CAPTIONS, 0.0), rest.pop(CLASS_CAPTIONS, 0.0)
    synonyms = rest.pop(SYNONYMS, None)
    if isinstance(labels, bool) or not isinstance(labels, int | float):
        raise DataError(f"data.{LABELS} is a share of the training images, such as 0.1, given {labels!r}")
    if share != 1 and labels != 1:
        raise DataError(f"data.{SHARE} and data.{LABELS} cannot both be below 1; leave one out")
    parameters = signature(module.load).parameters
    unknown = sorted(set(rest) - set(parameters))
    if unknown:
        has = ", ".join((*parameters, *COMMON))
        raise DataError(f"data.{unknown[0]} is not a keyword of source '{source}', which has: {has}")
    missing = [name for name, parameter in parameters.items() if parameter.default is parameter.empty]
    absent = [name for name in missing if name not in rest]
    if absent:
        raise DataError(f"source '{source}' needs data.{absent[0]}")
    if unlabelled is not None and not isinstance(unlabelled, str):
        raise DataError(f"data.{UNLABELLED} is {unlabelled!r}; it must be the path of a folder")
    check_types(parameters, rest)
    try:
        splits: Splits = module.load(**rest)
        _check_fields(source, splits)
        seed = int(rest.get("split_seed", 0))
        if share != 1:
            splits = with_share(splits, share, seed)
        splits = with_labels(disturbed(splits, wrong, of_classes, seed), float(labels), seed)
        splits = replace(splits, pools=pools_of(pools, splits, load_source))
        if unlabelled is not None:
            further = unlabelled_folder.pictures(splits, path=unlabelled, cache=rest.get("cache"))
            splits = replace(splits, pool=Joined((splits.unlabelled, further)))
    except OSError as error:
        if error.errno in PASSING:
            raise
        raise DataError(f"source '{source}' cannot read '{error.filename or ''}': {error.strerror or error}") from error
    except TypeError as error:
        raise DataError(f"source '{source}' cannot use {rest}: {error}") from error
    return splits if synonyms is None else with_synonyms(splits, synonyms)


def _check_fields(source: str, splits: Splits) -> None:
    for images in (splits.train, splits.validation, splits.test):
        wrong = list(misfits(images.fields, len(images), splits.channels))
        if wrong:
            raise DataError(f"source '{source}' has wrong fields: {'; '.join(wrong)}")
