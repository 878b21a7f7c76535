"""What parts of transformer blocks (``_blocks``) cost; whoever only counts candidates does without torch."""

from typing import Any

import numpy as np

from trainables.counting.counts import Tally


def add_attention(tally: Tally, width: Any, tokens: Any, *, groups: Any = 1, times: Any = 1) -> None:
    """Layer norm and attention within ``groups`` of ``tokens``."""
    tally.params = tally.params + 2 * width * times
    tally.linear(width, 3 * width, positions=groups * tokens, times=times)
    tally.linear(width, width, positions=groups * tokens, times=times)
    tally.macs = tally.macs + 2 * groups * tokens * tokens * width * times


def add_perceptron(tally: Tally, width: Any, ratio: Any, positions: Any, *, times: Any = 1) -> None:
    """Layer norm (or batch norm, which has as many parameters) and perceptron."""
    hidden = np.asarray(width * ratio).astype(np.int64)
    tally.params = tally.params + 2 * width * times
    tally.linear(width, hidden, positions=positions, times=times)
    tally.linear(hidden, width, positions=positions, times=times)
