"""Change candidates: mutation, cross-over, neighbours. Pure functions of (space, parents, rng), vectorised."""

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


def cross_over(space: Space, a_ND: Codes, b_ND: Codes, rng: np.random.Generator) -> Codes:
    """Uniform cross-over: each gene from either parent with equal probability. Every result is a member of the space.

    A gene that the child needs but did not draw comes from the parent that has it; from ``a`` if both have.

    Raises:
        ValueError: the parents' shapes differ.
    """
    if a_ND.shape != b_ND.shape:
        raise ValueError(f"cross-over needs as many first as second parents, given {a_ND.shape} and {b_ND.shape}")
    child_ND = np.where(rng.random(a_ND.shape) < 0.5, a_ND, b_ND)
    return space.complete(child_ND, np.where(a_ND >= 0, a_ND, b_ND))


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
