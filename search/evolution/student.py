"""A fast student of a slow function of codes: one table per gene, one per pair of genes, fitted in closed form.

The student is the posterior mean of a kernel ridge regression whose kernel is a sum over genes plus a sum over pairs of
genes (an ANOVA kernel, Stitson et al., 1999). Such a mean *is* tables: U_g[c] = sum_n alpha_n k_g(c, x_n), and likewise
per pair. All pairs make a student to score millions; neighbouring pairs make what ``chain.py`` solves exactly.
"""

from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from predictors.parts.gaussian import factorise, solve
from spaces.dimensions import is_ordinal, positions
from spaces.space import Codes, Space

Values = NDArray[np.float64]
Pairs = Literal["all", "neighbours"]
RIDGES = (1e-6, 1e-4, 1e-2)
ROWS = 4096
LENGTH = 0.4
"""Length scale of ordinal genes, whose positions are in [0, 1]."""


@dataclass(frozen=True, kw_only=True)
class Tables:
    """constant + sum_g unary[g][c_g] + sum_(g,h) pairs[g, h][c_g, c_h].

    Row 0 of every table is the inactive code, row 1 + c is code c.
    """

    constant: float
    unary: tuple[Values, ...]
    pairs: dict[tuple[int, int], Values]

    def __call__(self, codes_ND: Codes) -> Values:
        """The sum for each row, shape (N,)."""
        place_ND = codes_ND.astype(np.int64) + 1
        total_N = np.full(len(codes_ND), self.constant)
        for g, table in enumerate(self.unary):
            total_N += table[place_ND[:, g]]
        for (g, h), table in self.pairs.items():
            total_N += table[place_ND[:, g], place_ND[:, h]]
        return total_N


class Features:
    """Centred features of each gene, z_g(c): their inner products are the gene's kernel around its mean."""

    def __init__(self, space: Space, codes_ND: Codes) -> None:
        self.blocks: list[slice] = []
        self.tables: list[Values] = []
        start = 0
        for g, dimension in enumerate(space.dimensions):
            raw = _gene_features(len(dimension.values), positions(dimension) if is_ordinal(dimension) else None)
            table = raw - raw[codes_ND[:, g] + 1].mean(axis=0)
            self.blocks.append(slice(start, start + table.shape[1]))
            self.tables.append(table)
            start += table.shape[1]
        self.width = start

    def __call__(self, codes_ND: Codes) -> Values:
        return np.concatenate([table[codes_ND[:, g] + 1] for g, table in enumerate(self.tables)], axis=1)


def _gene_features(size: int, position: NDArray[np.float32] | None) -> Values:
    """Cholesky factor of the kernel between the codes of a gene, below a row of zeros for the inactive code."""
    kernel = np.eye(size)
    if position is not None:
        distance = (position[:, None] - position[None, :]).astype(np.float64)
        kernel = 0.95 * np.exp(-0.5 * (distance / LENGTH) ** 2) + 0.05 * np.eye(size)
    return np.concatenate([np.zeros((1, size)), np.linalg.cholesky(kernel)])


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Fitted tables of one output.

    Attributes:
        tables: their sum approximates the output.
        held_out_error: root mean square error on a held-out fifth of the rows when fitted to the others.
        pair_FF: weights of the products of two features.
        features: of the genes.
    """

    tables: Tables
    held_out_error: float
    pair_FF: Values
    features: Features


def fit_tables(space: Space, codes_ND: Codes, y_NT: Values, pairs: Pairs) -> list[Fit]:
    """Fit one set of tables to each column of y_NT. The ridge is chosen on a held-out fifth (every fifth row).

    Raises:
        ValueError: fewer than ten rows, or a value that is not finite.
    """
    if len(codes_ND) < 10 or not np.isfinite(y_NT).all():
        raise ValueError(f"a student needs at least ten rows and finite values, given {len(codes_ND)} rows")
    features = Features(space, codes_ND)
    z_NF = features(codes_ND)
    single_NN, double_NN = _kernels(z_NF, features.blocks, pairs)
    single = 1.0 / max(float(single_NN.trace()) / len(z_NF), 1e-12)
    double = 1.0 / max(float(double_NN.trace()) / len(z_NF), 1e-12)
    kernel_NN = (single * single_NN + double * double_NN).astype(np.float64)
    mean_T = y_NT.mean(axis=0)
    scale_T = np.maximum(y_NT.std(axis=0), 1e-12)
    target_NT = (y_NT - mean_T) / scale_T
    ridge_T, error_T = _best_ridge(kernel_NN, target_NT)
    fits = []
    for t in range(y_NT.shape[1]):
        alpha_N = _solve(kernel_NN, target_NT[:, t], ridge_T[t]) * scale_T[t]
        pair_FF = double * (z_NF.T @ (alpha_N[:, None] * z_NF))
        tables = _tables(features, single * (z_NF.T @ alpha_N), pair_FF, float(mean_T[t]), pairs)
        error = error_T[t] * float(scale_T[t])
        fits.append(Fit(tables=tables, held_out_error=error, pair_FF=pair_FF, features=features))
    return fits


def _kernels(z_NF: Values, blocks: list[slice], pairs: Pairs) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Sum over genes, and over pairs of genes, of the products of gene kernels; both (N, N)."""
    z = z_NF.astype(np.float32)
    total: NDArray[np.float32] = z @ z.T
    double: NDArray[np.float32] = np.zeros_like(total)
    previous: NDArray[np.float32] | None = None
    for block in blocks:
        gene = z[:, block] @ z[:, block].T
        if pairs == "all":
            double -= gene * gene
        elif previous is not None:
            double += previous * gene
        previous = gene
    if pairs == "all":
        double = (total * total + double) * np.float32(0.5)
    return total, double


def _best_ridge(kernel_NN: Values, target_NT: Values) -> tuple[list[float], list[float]]:
    """Ridge and held-out root mean square error of each output."""
    held = np.arange(len(kernel_NN)) % 5 == 4
    train_NN, cross = kernel_NN[np.ix_(~held, ~held)], kernel_NN[np.ix_(held, ~held)]
    guesses = np.stack([cross @ _solve(train_NN, target_NT[~held], ridge) for ridge in RIDGES])
    error_RT = ((guesses - target_NT[held]) ** 2).mean(axis=1)
    best_T = np.argmin(error_RT, axis=0)
    errors = [float(np.sqrt(error_RT[best, t])) for t, best in enumerate(best_T)]
    return [RIDGES[best] for best in best_T], errors


def _solve(kernel_NN: Values, target: Values, ridge: float) -> Values:
    """(kernel + ridge)^-1 target; the ridge grows until the factorisation succeeds (repeated rows are singular)."""
    return solve(factorise(kernel_NN, [ridge * 10.0**growth for growth in range(8)]), target)


def _tables(features: Features, linear_F: Values, pair_FF: Values, constant: float, pairs: Pairs) -> Tables:
    genes = range(len(features.blocks))
    blocks, tables = features.blocks, features.tables
    tabled = list(combinations(genes, 2) if pairs == "all" else pairwise(genes))
    return Tables(
        constant=constant,
        unary=tuple(tables[g] @ linear_F[blocks[g]] for g in genes),
        pairs={(g, h): tables[g] @ pair_FF[blocks[g], blocks[h]] @ tables[h].T for g, h in tabled},
    )


class Student:
    """Fast approximation of several outputs at once: each gene's code looks up one row, and the rows are summed.

    The pair tables of each output are kept as their ``rank`` leading eigenvectors: sum_r l_r (v_r . z)^2 / 2.

    Attributes:
        held_out_error: root mean square error of each output's tables on held-out rows, T of them.
    """

    def __init__(self, fits: list[Fit], rank: int = 16) -> None:
        features = fits[0].features
        self.held_out_error = tuple(fit.held_out_error for fit in fits)
        sizes = [len(table) for table in features.tables]
        self._offset_D = (np.concatenate([[0], np.cumsum(sizes[:-1])]) + 1).astype(np.int32)
        columns: list[Values] = []
        squares: list[Values] = []
        weights: list[Values] = []
        for t, fit in enumerate(fits):
            unary, latent, half = _factors(fit, rank)
            columns.append(np.concatenate([unary[:, None], latent], axis=1))
            for weight, into in ((np.eye(1, 1 + len(half))[0], weights), (np.append(0.0, half), squares)):
                column_RT = np.zeros((len(weight), len(fits)))
                column_RT[:, t] = weight
                into.append(column_RT)
        self._lookup = torch.from_numpy(np.concatenate(columns, axis=1)).float()
        self._weight_RT = torch.from_numpy(np.concatenate(weights)).float()
        self._square_RT = torch.from_numpy(np.concatenate(squares)).float()
        self._constant_T = torch.tensor([fit.tables.constant for fit in fits])

    def __call__(self, codes_ND: Codes) -> NDArray[np.float32]:
        """Approximate outputs, shape (N, T)."""
        out_NT = np.empty((len(codes_ND), len(self._constant_T)), dtype=np.float32)
        for start in range(0, len(codes_ND), ROWS):
            chunk = slice(start, start + ROWS)
            place = torch.from_numpy(codes_ND[chunk] + self._offset_D)
            summed_NR = torch.nn.functional.embedding_bag(place, self._lookup, mode="sum")
            linear_NT = torch.addmm(self._constant_T, summed_NR, self._weight_RT)
            out_NT[chunk] = linear_NT.addmm_(summed_NR.square_(), self._square_RT).numpy()
        return out_NT


def _factors(fit: Fit, rank: int) -> tuple[Values, Values, Values]:
    """(unary table, latent table, half the eigenvalues) of one output over the stacked rows of all genes."""
    between = fit.pair_FF.copy()
    for block in fit.features.blocks:
        between[block, block] = 0.0
    eigenvalues, vectors = np.linalg.eigh(between)
    leading = np.argsort(-np.abs(eigenvalues), kind="stable")[:rank]
    half = eigenvalues[leading] / 2
    stacked = [
        table @ vectors[block][:, leading]
        for table, block in zip(fit.features.tables, fit.features.blocks, strict=True)
    ]
    latent = np.concatenate(stacked)
    # A pair needs two genes: what the truncated squares add within one gene is taken out of its own table.
    unary = np.concatenate(fit.tables.unary) - (latent**2) @ half
    return unary, latent, half
