"""Pictures listed in a table, or laid out as a publisher does: path, label, split, licence, attribution, flags, ...

The table is Parquet, CSV or JSON lines, at any URI that fsspec opens; ``docs/manifest.md`` says what its columns mean.
A folder of a known layout (``trainables/data/layouts``) is read as such a table is.
Pictures that are flagged never appear, and licences are checked before anything is decoded. Rows are ordered by label
and path, so that the order of the table decides nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trainables.data._captions import TOKENS, languages_of, with_captions
from trainables.data._layouts import TABLE, read_layout
from trainables.data._listed_pictures import Place, decoded_pictures, encoded_pictures
from trainables.data._row_fields import BOX, fields_of_rows, taken
from trainables.data._rules import permitted
from trainables.data._table import Table, read_table
from trainables.data.decoded import UNREADABLE, check_readable, evaluated_as_files, form_of, store_of
from trainables.data.kept import Form
from trainables.data.photo_folders import PARTS, part_of
from trainables.data.splitting import HASH, completed
from trainables.splits import DataError, Images, Splits
from trainables.survey import Survey

CLASS_COLUMNS = ("label", "level", "slice", "origin", "group")
"""That may name the class of a picture."""


def load(
    *,
    path: str,
    layout: str = TABLE,
    class_column: str = "label",
    images: str | None = None,
    licences: Any = None,
    attributed: bool = False,
    resolution: int = 32,
    stored: int = 0,
    crop_pct: float = 1.0,
    grey: bool = False,
    background: Any = "white",
    unreadable: float = UNREADABLE,
    validation: float = 0.2,
    test: float = 0.2,
    split: str = HASH,
    split_seed: int = 0,
    cache: str | None = None,
    captions: Any = None,
    caption_tokens: int = TOKENS,
) -> Splits:
    """Read the table, decode its pictures once and, where it names no splits, split them off.

    Args:
        path: the table: ``.parquet``, ``.csv``, ``.jsonl`` (the latter two perhaps ``.gz``); a file or a URI. Or the
            folder of a layout.
        layout: ``table``, or what the folder is: a file in ``trainables/data/layouts``.
        class_column: the column that names the class: ``label``, ``level``, ``slice``, ``origin`` or ``group``.
        images: folder or URI below which relative paths lie; that of the table by default, or that of the layout.
        licences: those that pictures may have, such as ``[cc0, cc-by]``, or ``['*']`` for any; each picture must have
            one then. None looks at no licence.
        attributed: whether every picture must have an attribution.
        resolution: side of the square images, in pixels.
        stored: keeps training images whole, the shorter side made smaller until it has as many pixels, so that every
            epoch cuts squares of its own (``recipe.photo_augment``); with 0 all are squares.
        crop_pct: side of a square as a share of the shorter side of the resized image in whose middle it lies.
        grey: one channel instead of three.
        background: colour under transparency: ``white``, ``'#ffcc00'`` or ``[255, 204, 0]``.
        unreadable: share of the images that may be left out because they are not there or cannot be read.
        validation: share of the images that are split for search-validation, if no row is of that part.
        test: share of the images that are split for the final figures, if no row is of that part.
        split: ``hash`` splits by each image's own content, or by its group; ``drawn`` meets the shares to the image.
        split_seed: of the split.
        cache: folder for the decoded arrays; the system's temporary folder by default.
        captions: languages of the captions to read, such as ``[own, de]``: ``own`` is column ``caption``, another one
            ``caption.de``.
        caption_tokens: length of a caption in bytes, with two more; longer ones are cut.

    Raises:
        DataError: no such table, a column or a value that it must have, too many unreadable pictures, or fewer than two
            classes.
    """
    if class_column not in CLASS_COLUMNS:
        raise DataError(f"data.class_column is '{class_column}'; it can be {', '.join(CLASS_COLUMNS)}")
    store, form = store_of(cache), form_of(resolution, stored, crop_pct, grey, background)
    table, remarks = _rows(path, layout, licences, attributed)
    classes, label_N = _labels(table, class_column)
    fields, slices = fields_of_rows(table, classes)
    caption, slots, more = _captions(table, captions, caption_tokens)
    fields, remarks = {**fields, **caption}, [*remarks, *more]
    place = Place.of(path, images, layout)
    if stored and BOX in fields:
        raise DataError("boxes are known of squares alone; leave data.stored at 0, or the column 'box' out")
    parts, survey = {}, Survey(remarks=tuple(remarks))
    rows_of_part = _parts(table)
    tables = {part: table.take(rows) for part, rows in rows_of_part.items()}
    for part, rows in rows_of_part.items():
        own_form = form if part == "train" else form.squares
        parts[part], own = decoded_pictures(tables[part], place, label_N[rows], taken(fields, rows), own_form, store)
        survey += own
    check_readable(survey, unreadable, path)
    splits = completed(
        parts,
        classes,
        split=split,
        validation=validation,
        test=test,
        seed=split_seed,
        decoding=form.decoding,
        survey=survey,
    )
    splits = replace(splits, slices=slices, captions=slots)
    return evaluated_as_files(splits, store, partial(encoded_pictures, tables["train"], place), form)


def unlabelled(
    splits: Splits,
    *,
    path: str,
    layout: str = TABLE,
    images: str | None = None,
    licences: Any = None,
    attributed: bool = False,
    unreadable: float = UNREADABLE,
    cache: str | None = None,
    captions: Any = None,
    caption_tokens: int = TOKENS,
) -> Images:
    """All pictures of a table to pretrain on: their labels are dropped before anything could read them.

    Args:
        splits: the data, whose decoding these have.
        path, layout, images, licences, attributed, unreadable, cache, captions, caption_tokens: as in ``load``.

    Raises:
        DataError: as ``load``.
    """
    table, _ = _rows(path, layout, licences, attributed)
    table = table.without("label", "labels", "split")
    fields = {**fields_of_rows(table, ())[0], **_captions(table, captions, caption_tokens)[0]}
    no_label_N = np.zeros(len(table), dtype=np.int64)
    form = Form(decoding=splits.decoding)
    pictures, survey = decoded_pictures(
        table, Place.of(path, images, layout), no_label_N, fields, form, store_of(cache)
    )
    check_readable(survey, unreadable, path)
    return pictures


def _rows(path: str, layout: str, licences: Any, attributed: bool) -> tuple[Table, list[str]]:
    """The rows that may be used, in the order of their labels and paths, and remarks."""
    if licences is not None and not (isinstance(licences, list) and licences and all(map(_is_word, licences))):
        raise DataError(f"data.licences is {str(licences)[:60]!r}; it must be a list such as [cc0, cc-by], or ['*']")
    unread: Sequence[str] = ()
    rules: Sequence[str] = ()
    if layout == TABLE:
        table, unread = read_table(path)
    else:
        table, rules = read_layout(path, layout)
    table, remarks = permitted(table, licences, attributed, rules)
    if unread:
        remarks.append(f"columns of the manifest that nothing reads: {', '.join(unread)[:200]}")
    keys = [name for name in ("label", "path") if table.has(name)]
    texts = pa.table({name: table.text(name) for name in keys})
    order_N = pc.sort_indices(texts, [(name, "ascending") for name in keys]).to_numpy().astype(np.int64)
    return table.take(order_N), remarks


def _captions(
    table: Table, languages: Any, length: int
) -> tuple[dict[str, NDArray[np.uint16]], tuple[str, ...], list[str]]:
    """The field ``caption`` of each row, what each caption is, and remarks; nothing where no language is asked for."""
    if languages is None:
        return {}, (), []
    texts = {language: table.captions(language) for language in languages_of(languages)}
    rows = Images(image_NCHW=np.empty((len(table), 1, 0, 0), dtype=np.uint8), label_N=np.zeros(len(table), np.int64))
    captioned, slots, remarks = with_captions(rows, texts, length)
    return dict(captioned.fields), slots, remarks


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _labels(table: Table, column: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Class names, sorted, and each row's number of them."""
    if not table.has(column):
        raise DataError(f"'{table.origin}' has no column '{column}'; without labels it can be one of data.pools")
    classes, label_N = table.codes(column)
    if (label_N < 0).any():
        raise DataError(f"{table.called(int((label_N < 0).argmax()))} has no {column}; give it one, or remove the row")
    return classes, label_N


def _parts(table: Table) -> dict[str, NDArray[np.int64]]:
    """Rows of each part; all are of ``train`` where the table names no splits."""
    every = np.arange(len(table))
    if not table.has("split"):
        return {"train": every}
    names, code_N = table.codes("split")
    part_of_name = {name: part_of(name) for name in names}
    for name, part in part_of_name.items():
        if part is None:
            words = ", ".join(word for same in PARTS.values() for word in same)
            row = int((code_N == names.index(name)).argmax())
            raise DataError(f"{table.called(row)} has split '{name}'; it can be {words}")
    if not names:
        return {"train": every}
    if (code_N < 0).any():
        raise DataError(f"{table.called(int((code_N < 0).argmax()))} has no split, and others have; give each one")
    rows = {part: every[np.isin(code_N, [names.index(n) for n in names if part_of_name[n] == part])] for part in PARTS}
    if not len(rows["train"]):
        raise DataError(f"no row of '{table.origin}' has split train; give some that one")
    return {part: own for part, own in rows.items() if len(own)}
