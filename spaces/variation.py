"""Change candidates: mutation, breeding, neighbours. Pure functions of (space, parents, rng), vectorised."""

import numpy as np

from spaces.space import Codes, Space


def mutate(space: Space, codes_ND: Codes, rng: np.random.Generator, rate: float) -> Codes:
    """Change each active gene with probability ``rate``, and at least one per row, to a different value.

    A dimension that a change switches on gets a random value. Every result is a member of the space.

    Raises:
        ValueError: ``rate`` is not a probability, or the space has a single candidate.
    """
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"a mutation rate is a probability from 0 to 1, given {rate}")
    mutable_ND = (codes_ND >= 0) & (space.sizes_D > 1)
    if not mutable_ND.any(axis=1).all():
        raise ValueError(f"space '{space.name}' has no second value at any dimension, so nothing can be mutated")
    change_ND = mutable_ND & (rng.random(codes_ND.shape) < rate)
    forced_N = np.argmax(np.where(mutable_ND, rng.random(codes_ND.shape), -1.0), axis=1)
    unchanged_N = np.flatnonzero(~change_ND.any(axis=1))
    change_ND[unchanged_N, forced_N[unchanged_N]] = True
    # A shift by 1 .. size - 1 (modulo size) reaches every other value with equal probability.
    shift_ND = rng.integers(1, np.maximum(space.sizes_D, 2), size=codes_ND.shape)
    changed_ND = np.where(change_ND, (codes_ND + shift_ND) % space.sizes_D, codes_ND).astype(np.int16)
    fill_ND = rng.integers(0, space.sizes_D, size=codes_ND.shape).astype(np.int16)
    return space.complete(changed_ND, fill_ND)


def breed(space: Space, parents_ND: Codes, count: int, rng: np.random.Generator) -> Codes:
    """Children of random parents: half are crossed over uniformly, then one to four genes of each get a new value.

    For children by the hundred thousand: random numbers are drawn per changed gene, and not per gene as in ``mutate``,
    which is an order of magnitude faster. A change of an inactive gene has no effect. Every child is a member of the
    space.
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


def neighbours(space: Space, codes_D: Codes) -> Codes:
    """Every candidate that differs in one chosen gene, shape (M, D).

    Dimensions that the change switches on take their middle value.
    """
    rows = [
        (column, code)
        for column, (current, size) in enumerate(zip(codes_D.tolist(), space.sizes_D.tolist(), strict=True))
        if current >= 0
        for code in range(size)
        if code != current
    ]
    changed_MD = np.tile(codes_D, (len(rows), 1))
    for row, (column, code) in enumerate(rows):
        changed_MD[row, column] = code
    middle_MD = np.broadcast_to((space.sizes_D // 2).astype(np.int16), changed_MD.shape)
    return space.complete(changed_MD, middle_MD)
