"""Learning curves that cross: some candidates learn slowly and end high."""

import numpy as np

from search.replay.rules import Curves


def crossing(trials: int = 60, epochs: int = 20, bands: int = 1, seed: int = 0) -> Curves:
    """Curves whose end and speed depend on what is known before, and on chance; dearer bands learn more slowly."""
    rng = np.random.default_rng(seed)
    trait_NC = rng.random((trials, 3))
    band_N = np.minimum((trait_NC[:, 2] * bands).astype(int), bands - 1)
    final_N = (
        0.55 + 0.25 * trait_NC[:, 0] - 0.1 * trait_NC[:, 1] ** 2 + 0.1 * trait_NC[:, 2] + 0.03 * rng.normal(size=trials)
    )
    speed_N = 0.6 - 0.4 * trait_NC[:, 2] + 0.1 * rng.random(trials)
    epoch_E = np.arange(1, epochs + 1)
    curve_NE = final_N[:, None] * (1 - np.exp(-speed_N[:, None] * epoch_E)) + 0.002 * rng.normal(size=(trials, epochs))
    return Curves(name="made", curve_NE=np.clip(curve_NE, 0, 1), trait_NC=trait_NC, band_N=band_N)
