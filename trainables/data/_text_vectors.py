"""Vectors of texts beside images: ``data.text_vectors``, of their captions or from a file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.batches.fields import CAPTION, TEXT
from trainables.data.kept import names_of
from trainables.language.names import Captions, texts_of
from trainables.splits import DataError, Images, Splits

NGRAMS = "ngrams"
WIDTH, LETTERS = 256, (2, 4)
"""Numbers of a vector, and letters that are counted together, at least and at most."""


def with_text_vectors(splits: Splits, source: Any) -> Splits:
    """Splits whose images have the field ``text``; all zeros where an image has none.

    Args:
        splits: the data.
        source: ``ngrams``, or a file ``.npz`` with ``name``, the images as ``a/x.png``, and ``vector``, one row each.

    Raises:
        DataError: no such file, one without these arrays or of no image, or no captions.
    """
    if not isinstance(source, str):
        raise DataError(f"data.text_vectors is {source!r}; it must be {NGRAMS}, or the path of a file .npz")
    vector_of = _of_captions if source == NGRAMS else _of_file(source)
    parts = {name: vector_of(getattr(splits, name)) for name in ("train", "validation", "test")}
    if isinstance(splits.pool, Images):
        parts["pool"] = vector_of(splits.pool)
    if not parts["train"].fields[TEXT].any():
        raise DataError(f"data.text_vectors '{source}' has a vector of no training image, such as {_key(splits.train)}")
    return replace(splits, **parts)  # type: ignore[arg-type]


def _of_captions(images: Images) -> Images:
    if CAPTION not in images.fields:
        raise DataError(f"data.text_vectors {NGRAMS} are made of captions; set data.captions")
    return replace(images, fields={**images.fields, TEXT: ngrams(texts_of(images.fields[CAPTION]))})


def ngrams(captions: Captions) -> NDArray[np.float32]:
    """How often each sequence of 2 to 4 letters stands in the words of an image's captions, hashed, of length 1."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(analyzer="char_wb", ngram_range=LETTERS, n_features=WIDTH, dtype=np.float64)
    vector_NE: NDArray[np.float32] = hashing.transform([" ".join(texts) for texts in captions]).toarray()
    return vector_NE.astype(np.float32)


def _of_file(path: str) -> Callable[[Images], Images]:
    file = Path(path).expanduser()
    try:
        with np.load(file, allow_pickle=False) as content:
            names, vector_NE = content["name"].tolist(), content["vector"].astype(np.float32)
    except (OSError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())[:100]
        raise DataError(
            f"data.text_vectors '{path}' is no .npz with the arrays name and vector ({reason}); write it with np.savez"
        ) from None
    if vector_NE.ndim != 2 or len(names) != len(vector_NE):
        raise DataError(f"data.text_vectors '{path}' has {len(names)} names and vectors of shape {vector_NE.shape}")
    length_N = np.linalg.norm(vector_NE, axis=1, keepdims=True)
    vector_NE /= np.where(length_N > 0, length_N, 1.0)
    row_of = {name: row for row, name in enumerate(names)}
    none_E = np.zeros((1, vector_NE.shape[1]), dtype=np.float32)
    table_ME = np.concatenate([vector_NE, none_E])

    def of(images: Images) -> Images:
        rows = [row_of.get(key, len(names)) for key in map(_short, names_of(images))]
        return replace(images, fields={**images.fields, TEXT: table_ME[rows]})

    return of


def _key(images: Images) -> str:
    return f"'{_short(names_of(images)[0])}'"


def _short(name: str) -> str:
    """The last folder and the file."""
    return "/".join(Path(name).parts[-2:])
