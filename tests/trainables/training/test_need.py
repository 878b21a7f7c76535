"""The probe on this machine: it trains, briefly, whatever the phases are."""

import numpy as np
import pytest
import torch

from spaces import pretraining, tiny
from spaces.sampling import uniform
from spaces.space import Space
from trainables.data.sources import load_source
from trainables.training import need as module
from trainables.training.need import need
from trainables.training.trial import Task, TrialFailed

SPLITS = load_source("digits", {})


@pytest.mark.parametrize("space", [tiny.space(), pretraining.space()], ids=["one phase", "two phases"])
def test_a_whole_batch_is_trained_not_the_data_set(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def watched(task, splits, **options):  # type: ignore[no-untyped-def]
        sizes.append(len(splits.unlabelled))
        return trial(task, splits, **options)

    trial = module.trial
    monkeypatch.setattr(module, "trial", watched)
    candidate = space.decode(uniform(space, 1, np.random.default_rng(3)))[0]
    peaks = need(Task(candidate=candidate, epochs=50, seed=0), SPLITS, torch.device("cpu"))
    assert int(candidate.recipe["batch.size"]) <= sizes[0] < len(SPLITS.train)
    assert 50e6 < peaks.memory < 64e9
    assert (peaks.device, peaks.device_has) == (0, 0)


def test_memory_that_does_not_suffice_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.Tensor, "backward", full)
    candidate = tiny.space().decode(uniform(tiny.space(), 1, np.random.default_rng(0)))[0]
    with pytest.raises(TrialFailed, match="not enough memory on cpu"):
        need(Task(candidate=candidate, epochs=1, seed=0), SPLITS, torch.device("cpu"))
