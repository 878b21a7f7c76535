"""A data folder that is odd, and the configuration that is checked with it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.reliability import files
from tests.reliability.judging import Case, Expected

CONFIG = """\
name: small
runs: RUNS
data: {DATA}
space: {name: tiny, restrict: {architecture.resolution: [8], architecture.depth.0: [1], architecture.depth.1: [1]}}
search: {trials: 9, initial: 6, batch: 3, epochs: 2}
family: {max_macs: 2, epochs: 2}
run: {executor: serial}
tracking: {enabled: false}
"""

CLASSES = ("bus", "car", "tram")


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """A data folder.

    Attributes:
        name: of the case.
        make: writes it.
        expected, words: as in ``Case``.
        keywords: of the section ``data``, beside source and path.
        source: of the data.
    """

    name: str
    make: Callable[[Path], object]
    expected: Expected = "refused"
    words: tuple[str, ...] = ()
    keywords: str = ""
    source: str = "folder"

    def case(self, root: Path) -> Case:
        """Make the folder below one, and its configuration."""
        root.mkdir()
        self.make(root)
        path = root / "data.tar" if self.source == "webdataset" else root
        place = f"path: '{path}', cache: '{root}.cache'"
        data = f"{{source: {self.source}, {place}, resolution: 8, validation: 0.25, test: 0.25"
        given = {part.partition(":")[0].strip() for part in self.keywords.split(", ") if part}
        for name in given & {"cache", "resolution", "validation", "test"}:
            data = ", ".join(part for part in data.split(", ") if not part.startswith(f"{name}:"))
        text = CONFIG.replace("{DATA}", f"{data}{', ' if self.keywords else ''}{self.keywords}}}")
        return Case(
            name=self.name,
            content=text.encode("utf-8", "surrogateescape"),
            expected=self.expected,
            words=self.words,
            quick=False,
        )


def pictures(
    root: Path, classes: tuple[str, ...] = CLASSES, images: int = 8, ending: str = ".png", seed: int = 0
) -> None:
    """Some different images a class."""
    for row, name in enumerate(classes):
        (root / name).mkdir(parents=True, exist_ok=True)
        for image in range(images):
            files.picture(1000 * seed + 100 * row + image).save(root / name / f"{image}{ending}")


def parts(*names: str, classes: tuple[str, ...] = CLASSES) -> Callable[[Path], None]:
    """Folders of classes below folders of these names."""

    def make(root: Path) -> None:
        for seed, name in enumerate(names):
            pictures(root / name, classes, seed=seed)

    return make


def beside(add: Callable[[Path], object], **keywords: object) -> Callable[[Path], None]:
    """The usual folder, and something more in it."""

    def make(root: Path) -> None:
        pictures(root)
        add(root)

    return make
