"""ImagiNet: real pictures and generated ones of the same four contents, to tell apart and to trace to a generator.

Classes are ``real`` and ``generated`` (its first track). ``data.class_column: level`` makes the generator the class
(its second one, with real pictures as a class beside them). The field ``slice`` is the content, by which evaluation
``by_slice`` reports.
"""

from collections.abc import Iterator
from pathlib import Path

from trainables.data.layouts import Row
from trainables.splits import DataError

PAPER = "https://arxiv.org/abs/2407.20020"
READS = "annotations/*annotations.txt with PATH,ORIGIN,CONTENT,FAMILY,GENERATOR a line, and the pictures at PATH"
RULES = ("balanced",)

ANNOTATIONS = {"train": "train_annotations.txt", "test": "test_annotations.txt"}
LABELS = ("real", "generated")
CONTENTS = ("photos", "paintings", "faces", "uncategorized")
FAMILIES = ("gan", "stable diffusion", "midjourney", "dall-e 3", "real")
GENERATORS = (
    "progan",
    "stylegan-xl",
    "stylegan3",
    "stable diffusion 2.1",
    "sdxl 1.0",
    "animagine xl",
    "midjourney",
    "dall-e 3",
    "real",
)


def rows(root: Path) -> Iterator[Row]:
    """The pictures that the annotations name and that are there: each set comes from a publisher of its own.

    Raises:
        DataError: no annotations, or a line that is none.
    """
    files = {split: root / "annotations" / name for split, name in ANNOTATIONS.items()}
    files = {split: file for split, file in files.items() if file.is_file()}
    if not files:
        raise DataError(f"layout 'imaginet' finds no {' or '.join(ANNOTATIONS.values())} in '{root / 'annotations'}'")
    for split, file in files.items():
        # Alone they are all there is, and are split as any source is.
        yield from _annotated(root, file, split if len(files) > 1 else "")


def _annotated(root: Path, file: Path, split: str) -> Iterator[Row]:
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        path, *codes = line.strip().split(",")
        try:
            origin, content, family, generator = map(int, codes)
            row = Row(
                path=Path(path).as_posix(),
                label=LABELS[origin],
                slice=CONTENTS[content],
                origin=FAMILIES[family],
                level=GENERATORS[generator],
                split=split,
            )
        except (ValueError, IndexError):
            raise DataError(
                f"line {number} of '{file}' is {line[:80]!r}; it is to be PATH,ORIGIN,CONTENT,FAMILY,GENERATOR with "
                f"numbers below {', '.join(str(len(one)) for one in (LABELS, CONTENTS, FAMILIES, GENERATORS))}"
            ) from None
        if (root / row.path).is_file():
            yield row
