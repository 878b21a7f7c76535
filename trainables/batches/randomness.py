"""Random numbers of libraries that draw from global generators, seeded for a while."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def drawn_apart() -> Iterator[None]:
    """Inside, what the global generators of Python, NumPy and torch (on the CPU) draw changes nothing outside."""
    python, tensor = random.getstate(), torch.default_generator.get_state()
    array = np.random.get_state()  # noqa: NPY002, from which timm draws
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(array)  # noqa: NPY002
        torch.default_generator.set_state(tensor)


def seed_globals(*seed: int) -> None:
    """Seed the three global generators by integers of which every combination gives other numbers."""
    first, second, third = np.random.SeedSequence(seed).generate_state(3).tolist()
    random.seed(first)
    np.random.seed(second)  # noqa: NPY002
    torch.default_generator.manual_seed(third)
