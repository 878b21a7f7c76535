"""Figures that benchmarks keep as they come, so that a long measurement can be made in pieces and gone on with.

With ``NARS_FIGURES`` naming a folder, every measurement is a line of a file there, and what has its line is not
measured again; without it, all is measured anew. A line says at which commit it was made: begin a new folder where the
code that is measured has changed.

    NARS_FIGURES=figures python -m pytest -m benchmark -s tests/benchmarks/test_caption_options.py -k "clip and 0"
    python -m tests.benchmarks.kept figures/caption_options.jsonl --against clip
"""

import argparse
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

FOLDER = "NARS_FIGURES"
Figures = Mapping[str, float]


def kept(benchmark: str, arm: str, seed: int, measure: Callable[[], Figures]) -> Figures:
    """Figures of an arm at a seed: those that the file of the benchmark has, or those measured now."""
    folder = os.environ.get(FOLDER)
    path = None if folder is None else Path(folder) / f"{benchmark}.jsonl"
    for line in _lines(path):
        if (line["arm"], line["seed"]) == (arm, seed):
            return dict(line["figures"])
    figures = {name: round(float(value), 4) for name, value in measure().items()}
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"arm": arm, "seed": seed, "figures": figures, "commit": _commit()}) + "\n")
    print(arm, seed, figures, flush=True)
    return figures


def _lines(path: Path | None) -> Iterator[dict[str, Any]]:
    if path is not None and path.is_file():
        for text in path.read_text(encoding="utf-8").splitlines():
            yield json.loads(text)


def _commit() -> str:
    made = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return made.stdout.strip()


def main() -> None:
    """Print mean and standard error of every arm, and of its differences from another at the same seeds."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--against", help="the arm that differences are from")
    parser.add_argument("--figures", nargs="*", help="names of figures, all by default")
    given = parser.parse_args()
    of_arms: dict[str, dict[int, Figures]] = {}
    for line in _lines(given.file):
        of_arms.setdefault(line["arm"], {})[line["seed"]] = line["figures"]
    other = of_arms.get(given.against, {})
    for arm, of_seeds in of_arms.items():
        print(f"{arm} (seeds {' '.join(map(str, sorted(of_seeds)))})")
        for name in given.figures or next(iter(of_seeds.values())):
            values = [own[name] for own in of_seeds.values() if name in own]
            both = [seed for seed in of_seeds if seed in other and arm != given.against]
            difference = [of_seeds[seed][name] - other[seed][name] for seed in both if name in other[seed]]
            print(f"    {name}: {_said(values)}" + (f"; minus: {_said(difference, '+')}" if difference else ""))


def _said(values: list[float], sign: str = "") -> str:
    """Mean, standard error."""
    error = f" ± {stats.sem(values):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):{sign}.3f}{error}"


if __name__ == "__main__":
    main()
