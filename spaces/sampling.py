"""Draw candidates: uniform, Sobol, and bounded rejection under a predicate."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spaces.mistake import Mistake
from spaces.space import Codes, Space

Draw: TypeAlias = Callable[[Space, int, np.random.Generator], Codes]
"""(space, n, rng) -> codes_ND."""


class TooFewFeasible(Mistake):
    """Bounded rejection ended before it had enough candidates; the message tells the acceptance rate."""


def uniform(space: Space, n: int, rng: np.random.Generator) -> Codes:
    """``n`` candidates with every code drawn uniformly; dimensions that the conditions switch off are inactive."""
    codes_ND = rng.integers(0, space.sizes_D, size=(n, len(space.dimensions)))
    return space.mask(codes_ND.astype(np.int16))


def sobol(space: Space, n: int, seed: int) -> Codes:
    """The first ``n`` points of a scrambled Sobol sequence (Owen, 1998), as codes: the quasi-random start of a search.

    A longer sequence of the same seed begins with the shorter one.
    """
    from scipy.stats import qmc  # here because it takes longer to import than all of this package

    engine = qmc.Sobol(d=len(space.dimensions), scramble=True, rng=np.random.default_rng(seed))
    # A whole power of two is drawn, the only length for which the sequence is balanced, and the rest is cut off.
    unit_ND = engine.random_base2(max(0, n - 1).bit_length())[:n]
    return space.mask(np.floor(unit_ND * space.sizes_D).astype(np.int16))


def rejection(
    space: Space,
    n: int,
    rng: np.random.Generator,
    feasible: Callable[[Codes], NDArray[np.bool_]],
    *,
    draw: Draw = uniform,
    tries: int = 50,
) -> Codes:
    """``n`` candidates that satisfy a predicate, by drawing at most ``tries`` batches.

    Args:
        feasible: codes_ND -> whether each row is acceptable, shape (N,).
        draw: the distribution that is rejected from.
        tries: number of batches; a batch has as many rows as are missing (at least 64), scaled by the rate seen so far.

    Raises:
        TooFewFeasible: the batches did not hold ``n`` acceptable rows.
    """
    kept: list[Codes] = []
    accepted = drawn = 0
    for _ in range(tries):
        if accepted >= n:
            break
        missing = n - accepted
        rate = (accepted + 1) / (drawn + 1)
        batch_ND = draw(space, int(np.clip(1.2 * missing / rate, 64, 200_000)), rng)
        good_ND = batch_ND[feasible(batch_ND)]
        kept.append(good_ND)
        accepted += len(good_ND)
        drawn += len(batch_ND)
    if accepted < n:
        raise TooFewFeasible(
            f"only {accepted} of {drawn} drawn candidates of space '{space.name}' are acceptable "
            f"({accepted / max(drawn, 1):.2%}), {n} were asked for: loosen the limits or ask for fewer"
        )
    return np.concatenate([*kept, np.empty((0, len(space.dimensions)), dtype=np.int16)])[:n]
