"""The section ``run``: where and with how much the work runs."""

import os
from typing import Annotated

from pydantic import AfterValidator, Field

from search.setting.section import Amount, NumberOrAuto, Place, Section, one_of
from spaces import components

MOST_GPUS = 1024


def countable_gpus(gpus: float | str) -> float | str:
    """A share of a GPU, or whole ones."""
    if isinstance(gpus, float) and (gpus > MOST_GPUS or (gpus > 1 and not gpus.is_integer())):
        raise ValueError(f"it must be a share of a GPU up to 1, or whole ones up to {MOST_GPUS}, or 'auto'")
    return gpus


class RunSection(Section):
    """Where and with how much the work runs.

    Attributes:
        executor: file in ``search/executors``.
        concurrent: trials at a time; as many as the cluster has room for by default.
        workers: Ray Train workers of a final training.
        workers_per_trial: Ray Train workers of a trial; more than one need executor ray_train.
        cpus: processor cores of a trial or of a worker; also its number of threads.
        gpus: GPUs of a trial or of a worker. Below 1, several trials share one; ``auto`` measures which share the
            largest candidate within the limits needs. A worker of a final training has whole ones.
        memory: bytes of main memory that a machine must have left to start a trial, or a worker of one; ``auto``
            measures them, and 0 does not look at memory.
        retries: how often a trial is started again after its machine or process was lost.
        storage: URL of the Optuna storage; a journal file in the run's folder by default.
        checkpoints: folder or fsspec URI (``s3://...``) of the checkpoints of trials and final trainings; the run's
            folder by default.
        checkpoint_quota: bytes that the trials' checkpoints may take together; no bound by default.
    """

    executor: Annotated[str, one_of(components.EXECUTORS)] = "ray_tune"
    concurrent: int | None = Field(default=None, ge=1, le=100_000)
    workers: int = Field(default=1, ge=1, le=4096)
    workers_per_trial: int = Field(default=1, ge=1, le=4096)
    cpus: int = Field(default=1, ge=1, le=1024)
    gpus: Annotated[NumberOrAuto, AfterValidator(countable_gpus)] = 0.0
    memory: NumberOrAuto = 0.0
    retries: int = Field(default=3, ge=0, le=1000)
    storage: Place | None = None
    checkpoints: Place | None = None
    checkpoint_quota: Amount | None = None

    @property
    def at_once(self) -> int:
        """Trials at a time, on this machine where ``concurrent`` does not say."""
        return self.concurrent or max(1, (os.cpu_count() or 1) // (self.cpus * self.workers_per_trial))

    @property
    def measures(self) -> bool:
        """Whether the needs of the largest candidates are measured before the first trial."""
        return "auto" in (self.gpus, self.memory)
