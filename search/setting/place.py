"""What workers need to know of a run, and which candidates they measure."""

import numpy as np
from numpy.typing import NDArray

from search.executors.work import Probe, Workplace
from search.problem.feasible import largest
from search.setting.setting import Setting
from spaces.space import Codes
from trainables.training.trial import Task

PROBED = 3
"""Candidates whose memory is measured, the largest by what is known before training."""


def workplace_of(setting: Setting) -> Workplace:
    """What workers need to know of a run."""
    config, run = setting.config, setting.config.run
    return Workplace(
        source=config.data.source,
        keywords=config.data.located,
        folder=config.folder.resolve(),
        weights=config.sources,
        concurrent=run.concurrent,
        workers=run.workers,
        workers_per_trial=run.workers_per_trial,
        cpus=run.cpus,
        gpus=1 if run.gpus == "auto" else run.gpus,
        memory=0 if run.memory == "auto" else int(run.memory),
        probe=_probe(setting) if run.measures else None,
        retries=run.retries,
        address=config.ray.address,
        checkpoints=setting.checkpoints,
        checkpoint_quota=None if run.checkpoint_quota is None else int(run.checkpoint_quota),
        verbose=setting.verbose,
        score=config.search.weights,
    )


def _probe(setting: Setting) -> Probe:
    """What to measure: the candidates that keep the most intermediate values, by activations and batch size."""
    run = setting.config.run

    def stored_values(codes_ND: Codes) -> NDArray[np.float64]:
        batch = setting.space.values(codes_ND, "recipe").get("batch.size", 1)
        return np.asarray(setting.counts(codes_ND).activations_N * batch, dtype=float)

    candidates = setting.space.decode(largest(setting.problem, stored_values, PROBED))
    tasks = tuple(Task(candidate=candidate, epochs=setting.config.search.epochs, seed=0) for candidate in candidates)
    return Probe(tasks=tasks, gpus=run.gpus == "auto", memory=run.memory == "auto")
