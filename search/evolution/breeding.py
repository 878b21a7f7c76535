"""How stage 2 makes candidates: children by the hundred thousand; and how it words limits."""

import numpy as np

from spaces.space import Codes, Space


def breed(space: Space, parents_ND: Codes, count: int, rng: np.random.Generator) -> Codes:
    """Children of random parents: half are crossed over uniformly, then one to four genes of each get a new value.

    The same operators as ``spaces.variation``, with random numbers drawn per changed gene instead of per gene, which
    is an order of magnitude faster. A change of an inactive gene has no effect. Every child is a member of the space.
    """
    mutable = np.flatnonzero(space.sizes_D > 1)
    fill_ND = rng.integers(0, space.sizes_D, size=parents_ND.shape).astype(np.int16)
    parents_ND = np.where(parents_ND < 0, fill_ND, parents_ND).astype(np.int16)  # inactive genes are latent meanwhile
    child_ND = parents_ND[rng.integers(len(parents_ND), size=count)]
    half = count // 2
    bits = np.unpackbits(rng.integers(0, 256, size=(half * child_ND.shape[1] + 7) // 8, dtype=np.uint8))
    from_mate = bits[: half * child_ND.shape[1]].reshape(half, -1).view(bool)
    np.copyto(child_ND[:half], parents_ND[rng.integers(len(parents_ND), size=half)], where=from_mate)
    sizes = space.sizes_D.astype(np.int16)
    for changes in range(4 if len(mutable) else 0):
        rows = np.arange(0, count, 2**changes)
        columns = mutable[rng.integers(len(mutable), size=len(rows))]
        size_N = sizes[columns]
        step_N = 1 + (rng.random(len(rows), dtype=np.float32) * (size_N - 1)).astype(np.int16)
        child_ND[rows, columns] = (child_ND[rows, columns] + step_N) % size_N
    return space.mask(child_ND)
