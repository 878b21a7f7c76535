"""What the page's script works with: the run as JSON, and Plotly's library packed into text.

The library is Plotly's own bundle, as its Python package ships it: 4.8 MB, of which gzip and base64 leave 2 MB. The
browser unpacks it; where it cannot, or runs no scripts, the page keeps its pictures.
"""

import base64
import gzip
import json
import math
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from plotly.offline import get_plotlyjs

from search.family.comparison import wilson
from search.report.evidence import COSTS, Evidence
from search.report.importance import addresses, scored

MOST_CURVES = 1000
"""Trials whose epochs the page has; of more, an even selection."""

MOST_AXES = 9
"""Dimensions of the parallel coordinates."""

TRIALS = ("number", "state", "round", "score", *COSTS, "latency_ms", "epochs_run", "seconds", "origin", "error")


@cache
def packed_library() -> str:
    """Plotly's library, gzip in base64; the same bytes each time."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode("ascii")


@cache
def script() -> str:
    """The page's own script: its parts in the order of their names, in one scope."""
    parts = sorted((Path(__file__).parent / "scripts").glob("*.js"))
    text = "\n".join(part.read_text(encoding="utf-8") for part in parts)
    return f'(() => {{\n"use strict";\n{text}}})();'


def live_data(evidence: Evidence) -> str:
    """JSON that an HTML page may hold: no ``<`` or ``&`` in it."""
    document = {
        "trials": _columns(evidence.trials, [name for name in TRIALS if name in evidence.trials]),
        "predicted": _predicted(evidence.trials),
        "values": _columns(evidence.trials, addresses(evidence.trials)),
        "axes": _axes(evidence),
        "curves": _curves(evidence),
        "members": [_network(row, "member", evidence) for row in _rows(evidence.family)],
        "references": [_network(row, "reference", evidence) for row in _rows(evidence.references)],
        "recipes": {name: dict(candidate.by_address) for name, candidate in evidence.candidates.items()},
        "budgets": [row.max_macs for row in evidence.budgets],
        "folder": evidence.folder,
    }
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _rows(table: pd.DataFrame) -> Iterable[Mapping[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _columns(table: pd.DataFrame, names: Iterable[str]) -> dict[str, list[Any]]:
    return {name: [_plain(value) for value in table[name].tolist()] for name in names}


def _plain(value: Any) -> Any:
    """Five significant digits; what is unknown or inactive is null."""
    if value is None or value is pd.NA:
        return None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() else float(f"{value:.5g}")
    return value


def _predicted(trials: pd.DataFrame) -> dict[str, list[Any]]:
    """What was expected of each trial, within what an accuracy can be."""
    mean, std = trials["predicted_mean"].astype(float), trials["predicted_std"].astype(float)
    bounds = {"mean": mean, "low": mean - 1.6449 * std, "high": mean + 1.6449 * std}
    return {name: [_plain(value) for value in bound.clip(0, 1).tolist()] for name, bound in bounds.items()}


def _axes(evidence: Evidence) -> list[str]:
    """Dimensions for the parallel coordinates, the most important first."""
    importance = evidence.importance
    every = addresses(scored(evidence.trials)) if importance is None else importance.table["address"].tolist()
    return [str(name) for name in every[:MOST_AXES]]


def _curves(evidence: Evidence) -> dict[str, list[list[Any]]]:
    """Epochs and accuracies by the trial's number."""
    numbers = evidence.curves["number"].unique()
    numbers = numbers[:: max(1, math.ceil(len(numbers) / MOST_CURVES))]
    shown = evidence.curves[evidence.curves["number"].isin(numbers)].sort_values(["number", "epoch"])
    return {
        str(number): [rows["epoch"].tolist(), [_plain(value) for value in rows["accuracy"].tolist()]]
        for number, rows in shown.groupby("number")
    }


def _network(row: Mapping[str, Any], kind: str, evidence: Evidence) -> dict[str, Any]:
    """A trained network with the intervals of its accuracies."""
    name = str(row[kind])
    costs = {cost: _plain(row.get(cost)) for cost in (*COSTS, "latency_ms")}
    images = {"search": evidence.validation_images, "test": len(evidence.test)}
    accuracies = {}
    for split, count in images.items():
        share = _plain(row[f"{split}_accuracy"])
        bounds = wilson(share, count) if share is not None and count else (None, None)
        accuracies[split] = [share, *map(_plain, bounds)]
    compared = evidence.compared.get(name)
    return {"name": name, **costs, **accuracies, "sentence": "" if compared is None else compared.sentence}
