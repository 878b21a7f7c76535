"""Final training under Ray Train: the same generator on one to N workers, with restart from checkpoints.

The only module of ``trainables`` that knows Ray.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trainables.final.jobs import FinalJob, train_all
from trainables.training.trial import Report
from trainables.training.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The workers of a Ray Train run.

    Attributes:
        workers: how many.
        cpus: processor cores and threads of each.
        gpus: GPUs of each, 0 or 1.
        retries: how often the group is started again after a worker was lost.
    """

    workers: int
    cpus: int
    gpus: float
    retries: int


def fit(
    name: str,
    jobs: Sequence[FinalJob],
    *,
    source: str,
    keywords: Mapping[str, Any],
    folder: Path,
    checkpoints: str | None,
    group: Group,
    records: Mapping[str, Any],
    on_report: Callable[[str, Report], None],
) -> None:
    """Train the jobs, one after the other, on one group of workers.

    Args:
        name: stable name of the Ray Train run; a run that was killed is continued from the jobs' checkpoints.
        jobs: teachers before their pupils.
        source: file in ``trainables/data``.
        keywords: of the source's ``load``.
        folder: the run's folder, for Ray's own records and for what teachers answered.
        checkpoints: folder or fsspec URI of the jobs' checkpoints; None for the run's folder.
        group: the workers.
        records: where Ray Train keeps its own, as keywords of its ``RunConfig``.
        on_report: called in this process with every report, also those of earlier attempts.
    """
    from ray import train
    from ray.train.torch import TorchTrainer
    from ray.util.queue import Empty, Queue

    reports = Queue(actor_options={"num_cpus": 0})
    trainer = TorchTrainer(
        _work,
        train_loop_config={
            "jobs": list(jobs),
            "source": source,
            "keywords": dict(keywords),
            "folder": str(folder.resolve()),
            "checkpoints": checkpoints,
            "threads": group.cpus,
            "reports": reports,
        },
        scaling_config=train.ScalingConfig(
            num_workers=group.workers,
            use_gpu=group.gpus > 0,
            resources_per_worker={"CPU": group.cpus} | ({"GPU": group.gpus} if group.gpus else {}),
        ),
        run_config=train.RunConfig(
            name=name,
            **records,
            failure_config=train.FailureConfig(max_failures=group.retries),
        ),
    )
    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(trainer.fit)
        while not (future.done() and reports.empty()):
            try:
                on_report(*reports.get(timeout=0.5))
            except Empty:
                continue
        reports.shutdown(force=True)
        error = future.exception()
    if error is not None:
        raise _cause(error)


def _cause(error: BaseException) -> BaseException:
    """What went wrong in a worker, rather than Ray Train's account of it."""
    failures = getattr(error, "worker_failures", None)
    if failures:
        first: BaseException = next(iter(failures.values()))
        return getattr(first, "cause", None) or first
    return error


def _work(config: dict[str, Any]) -> None:
    from ray import train
    from ray.train.torch import get_device

    from trainables.data.sources import load_source

    torch.set_num_threads(config["threads"])
    context = train.get_context()
    world = World(rank=context.get_world_rank(), size=context.get_world_size())
    splits = load_source(config["source"], config["keywords"])
    folder, checkpoints = Path(config["folder"]), config["checkpoints"]
    steps = train_all(config["jobs"], splits, folder, checkpoints=checkpoints, world=world, device=get_device())
    for name, report in steps:
        if world.rank == 0:
            config["reports"].put((name, report))
