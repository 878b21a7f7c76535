"""Pools: further images to pretrain on, each with a name that ``pretraining.source`` may have."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from inspect import signature
from types import ModuleType
from typing import Any

import numpy as np

from spaces import components
from spaces.candidate import OWN_PICTURES
from trainables.data import unlabelled_folder
from trainables.data._keywords import POOLS, UNLABELLED, check_types
from trainables.splits import DataError, Images, Splits

FOLDER = "unlabelled_folder"
"""The source of a pool that names none."""
ANNOTATIONS = ("labels", "level", "segments")
"""Fields that are labels by other names, which people gave; pretraining on a pool is to see none."""


def pools_of(pools: Any, splits: Splits, load: Callable[[str, Mapping[str, Any]], Splits]) -> dict[str, Images]:
    """Images by the name of their pool, as large as the data's and without labels.

    Args:
        pools: by name, ``source`` (a folder of images by default) and its keywords.
        splits: the data.
        load: the splits of a source, of which the training images are taken.

    Raises:
        DataError: a pool that names no source, a name of something else, or images unlike the data's.
    """
    if not isinstance(pools, dict) or not all(isinstance(pool, dict) for pool in pools.values()):
        raise DataError(f"data.pools is {str(pools)[:80]}; it must be names, each with a source and its keywords")
    return {name: _pool(name, dict(pool), splits, load) for name, pool in pools.items()}


def _without_labels(name: str, module: ModuleType, keywords: Mapping[str, Any], splits: Splits) -> Images:
    """Pictures of a source that can do without labels, which are not read."""
    parameters = {key: one for key, one in signature(module.unlabelled).parameters.items() if key != "splits"}
    unknown, needed = sorted(set(keywords) - set(parameters)), "path" in keywords
    if unknown or not needed:
        has = ", ".join(parameters)
        raise DataError(f"data.pools.{name} has {', '.join(sorted(keywords)) or 'no keyword'}; its source has {has}")
    check_types(parameters, keywords)
    images: Images = module.unlabelled(splits, **keywords)
    return images


def _pool(
    name: str, keywords: dict[str, Any], splits: Splits, load: Callable[[str, Mapping[str, Any]], Splits]
) -> Images:
    others = (OWN_PICTURES, *components.names(components.PICTURES))
    if name in others or not name.isidentifier():
        raise DataError(f"data.pools.{name}: the name of a pool is a word, and none of {', '.join(others)}")
    source = keywords.pop("source", FOLDER)
    if nested := sorted({POOLS, UNLABELLED} & set(keywords)):
        raise DataError(f"data.pools.{name} has {nested[0]}, which is one of section data alone; make it a pool beside")
    if source == FOLDER:
        unknown = sorted(set(keywords) - {"path", "unreadable", "cache"})
        if unknown or not isinstance(keywords.get("path"), str):
            raise DataError(
                f"data.pools.{name} has {', '.join(sorted(keywords)) or 'no keyword'}; a folder has path, and may have "
                "unreadable and cache"
            )
        return unlabelled_folder.pictures(splits, **keywords)
    sources = components.names(components.SOURCES)
    if source not in sources:
        raise DataError(f"data.pools.{name}.source is '{source}'; it can be {FOLDER}, {', '.join(sources)}")
    module = components.load(components.SOURCES, source)
    if hasattr(module, "unlabelled"):
        images = _without_labels(name, module, keywords, splits)
    else:
        images = load(source, keywords).train
    own, other = splits.train.image_NCHW.shape[1:], images.image_NCHW.shape[1:]
    if own != other:
        raise DataError(
            f"data.pools.{name} has images of {other[1]} x {other[2]} pixels in {other[0]} channels, the data of "
            f"{own[1]} x {own[2]} in {own[0]}; give it keywords that make them alike"
        )
    unlabelled = {field: value_N for field, value_N in images.fields.items() if field not in ANNOTATIONS}
    return replace(images, label_N=np.zeros_like(images.label_N), fields=unlabelled)
