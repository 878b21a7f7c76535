"""Draw candidates: uniform, or along a Sobol sequence."""

import numpy as np

from spaces.space import Codes, Space


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
