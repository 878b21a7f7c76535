"""Free statistics: macs, params, activations and more of any number of candidates, without building a network."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spaces.candidate import keywords
from spaces.components import ADAPTATIONS, BACKBONES, constant, load, parameters
from spaces.joined import FAMILY
from spaces.space import Codes, Space
from trainables.counting.counts import Counts, Tally
from trainables.counting.forms import FORMS, keywords_of

CHUNK = 16_384
"""Candidates counted at a time: their arrays then fit the processor's cache, which triples the speed."""

REGULARISERS = ("dropout.rate", "stochastic_depth.rate", "mixup.alpha", "label_smoothing.rate")


def count(space: Space, codes_ND: Codes, *, classes: int, channels: int) -> Counts:
    """Exact statistics of candidates by the formulas of their backbone's ``cost``.

    Args:
        space: the space of the codes.
        codes_ND: candidates.
        classes: outputs of the classifier.
        channels: channels of the input image.

    Returns:
        Counts of shape (N,).
    """
    chunks = [
        _count_chunk(space, codes_ND[start : start + CHUNK], classes, channels)
        for start in range(0, max(len(codes_ND), 1), CHUNK)
    ]
    return chunks[0] if len(chunks) == 1 else _concatenate(chunks)


def _count_chunk(space: Space, codes_ND: Codes, classes: int, channels: int) -> Counts:
    counts = _count_networks(space, codes_ND, classes, channels)
    for address in space.adaptation:
        if address.rpartition(".")[2] == "method":
            for method in map(str, space.adaptation[address].values):
                if (form := constant(ADAPTATIONS, method, "FORM")) is not None:
                    counts = _with_classifiers(space, codes_ND, counts, address, method, form, classes, channels)
    return counts


def _with_classifiers(
    space: Space, codes_ND: Codes, counts: Counts, address: str, method: str, form: str, classes: int, channels: int
) -> Counts:
    """With what a method of adaptation puts on the networks whose dimension ``address`` has it.

    A linear classifier of F features has F macs a class, so one class more shows how many there are.
    """
    column = space.index[f"adaptation.{address}"]
    rows = np.flatnonzero(codes_ND[:, column] == space.adaptation[address].values.index(method))
    if not len(rows):
        return counts
    width_R = _count_networks(space, codes_ND[rows], classes + 1, channels).macs_N - counts.macs_N[rows]
    prefix = f"{address.removesuffix('method')}{method}."
    values = space.values(codes_ND[rows], "adaptation")
    defaults = parameters(ADAPTATIONS, method).defaults
    tally = Tally()
    FORMS[form](tally, width_R, **{name: values.get(prefix + name, defaults[name]) for name in keywords_of(form)})
    added = {}
    for name in ("macs", "params", "activations"):
        total_N = getattr(counts, f"{name}_N").copy()
        total_N[rows] += getattr(tally, name)
        added[f"{name}_N"] = total_N
    return replace(counts, **added)


def _count_networks(space: Space, codes_ND: Codes, classes: int, channels: int) -> Counts:
    """Of the networks that backbones build, before adaptations put other classifiers on them."""
    if space.joins_families:
        return _count_families(space, codes_ND, classes, channels)
    return _cost(space.backbone, space.values(codes_ND, "architecture"), classes, channels)


def _cost(backbone: str, architecture: Mapping[str, NDArray[Any]], classes: int, channels: int) -> Counts:
    counts: Counts = load(BACKBONES, backbone).cost(classes=classes, channels=channels, **keywords(architecture))
    return counts


def _count_families(space: Space, codes_ND: Codes, classes: int, channels: int) -> Counts:
    """Count each family's candidates by its own backbone; a feature that a family lacks is 0 there."""
    family_N = codes_ND[:, space.index[FAMILY]]
    totals_4N = np.zeros((4, len(codes_ND)), dtype=np.int64)
    features: dict[str, NDArray[np.float64]] = {}
    for code, value in enumerate(space.dimension(FAMILY).values):
        backbone = str(value)
        rows = np.flatnonzero(family_N == code)
        # An empty family is counted too, so that every call has the same features.
        values = space.values(codes_ND[rows], "architecture")
        own = {
            address.removeprefix(f"{backbone}."): array
            for address, array in values.items()
            if address.startswith(f"{backbone}.")
        }
        counts = _cost(backbone, own, classes, channels)
        totals_4N[:, rows] = (counts.macs_N, counts.params_N, counts.activations_N, counts.resolution_N)
        for name, feature in counts.features.items():
            features.setdefault(name, np.zeros(len(codes_ND)))[rows] = feature
    macs_N, params_N, activations_N, resolution_N = totals_4N
    return Counts(
        macs_N=macs_N, params_N=params_N, activations_N=activations_N, resolution_N=resolution_N, features=features
    )


def _concatenate(chunks: list[Counts]) -> Counts:
    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(chunk, name) for chunk in chunks])

    return Counts(
        macs_N=joined("macs_N"),
        params_N=joined("params_N"),
        activations_N=joined("activations_N"),
        resolution_N=joined("resolution_N"),
        features={name: np.concatenate([c.features[name] for c in chunks]) for name in chunks[0].features},
    )


def free_statistics(space: Space, codes_ND: Codes, counts: Counts) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """What a predictor may know of candidates besides their codes: s_NK and the names of its K columns.

    Sizes are natural logarithms; further facts of the backbone follow; then ratios of the recipe, where the space has
    their dimensions: the active learning rate, its product with the weight decay, and the sum of the regularisers.
    """
    columns: dict[str, NDArray[Any]] = {
        "log_macs": np.log(counts.macs_N),
        "log_params": np.log(counts.params_N),
        "log_activations": np.log(counts.activations_N),
        "log_resolution": np.log(counts.resolution_N),
        **counts.features,
        **_recipe_ratios(space, codes_ND),
    }
    return np.stack([column.astype(np.float64) for column in columns.values()], axis=1), tuple(columns)


def _recipe_ratios(space: Space, codes_ND: Codes) -> dict[str, NDArray[Any]]:
    values = space.values(codes_ND, "recipe")
    ratios: dict[str, NDArray[Any]] = {}
    rate_N = _active_value(space, codes_ND, values, "optimizer.learning_rate")
    if rate_N is not None:
        ratios["log_learning_rate"] = np.log(rate_N)
        if "optimizer.weight_decay" in values:
            decay_N = values["optimizer.weight_decay"].astype(np.float64)
            ratios["log_rate_times_decay"] = np.log(np.maximum(rate_N * decay_N, 1e-12))  # a decay of 0 is allowed
    regularisers = [values[address].astype(np.float64) for address in REGULARISERS if address in values]
    if regularisers:
        ratios["regularisation"] = np.sum(regularisers, axis=0)
    return ratios


def _active_value(
    space: Space, codes_ND: Codes, values: Mapping[str, NDArray[Any]], keyword: str
) -> NDArray[np.float64] | None:
    """Value of ``keyword`` or of its active item; None where the space lacks it or a row has none."""
    addresses = [address for address in values if address == keyword or address.startswith(f"{keyword}.")]
    value_N = np.full(len(codes_ND), np.nan)
    for address in addresses:
        active_N = codes_ND[:, space.index[f"recipe.{address}"]] >= 0
        value_N[active_N] = values[address][active_N]
    return value_N if addresses and not np.isnan(value_N).any() else None
