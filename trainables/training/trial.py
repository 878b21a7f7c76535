"""The one training loop: a generator of reports. It knows no backbone, objective or ingredient by name."""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from spaces import components
from spaces.candidate import Candidate
from trainables.deploy import Deployable
from trainables.job import Report
from trainables.language.texts import Texts
from trainables.splits import Splits
from trainables.stages.phases import Phase, Task, number_of_training, phases_of
from trainables.stages.pretraining import Pretraining, keys_of, pretrainings_of
from trainables.training.building import build
from trainables.training.checkpoint import Checkpoint, held
from trainables.training.epoch import TrialFailed
from trainables.training.left import Left
from trainables.training.state import Common, PhaseState
from trainables.training.world import World

__all__ = ["Candidate", "Task", "TrialFailed", "trained", "trial"]


def trial(
    task: Task,
    splits: Splits,
    *,
    checkpoint: Checkpoint | None = None,
    cache: Path | None = None,
    world: World | None = None,
    device: torch.device | None = None,
    loaders: int | None = None,
) -> Iterator[Report]:
    """Train, and report after every epoch.

    With a checkpoint that exists, the reports of the epochs already trained come first, then training goes on exactly
    where it was: model, optimizer, schedule, average, order of the images and random numbers are those of an
    undisturbed run, in pretraining as in training.

    Args:
        task: what is trained.
        splits: the data.
        checkpoint: where the state is kept.
        cache: folder of pretrained weights that trials share; their seed then is that of the weights' key, not the
            task's. Below it, ``targets`` has what named teachers answered. Each trial pretrains its own by default, and
            asks teachers anew.
        world, device: which worker this is, and where it trains.
        loaders: processes that decode and augment images beside the training, which changes no result; by default
            as many as its threads allow, see ``trainables.training.loading.processes_beside``.

    Raises:
        TrialFailed: a loss that is not finite, or not enough memory.
        CheckpointError: a checkpoint cannot be written or read.
        WeightsError: pretrained weights cannot be used.
    """
    common = Common(
        task=task,
        splits=splits,
        world=world or World(),
        device=device or torch.device("cpu"),
        loaders=loaders,
        targets=None if cache is None else cache / "targets",
    )
    stages = pretrainings_of(task.candidate, task.epochs)
    keys = [] if cache is None else keys_of(task.candidate, stages, splits)
    paths = dict(enumerate(cache / f"{key}.pt" for key in keys)) if cache is not None else {}
    saved = checkpoint.load() if checkpoint is not None else None
    earlier = {number: Left(**left) for number, left in (saved or {}).get("earlier", {}).items()}
    reports: tuple[Report, ...] = ()
    for phase in phases_of(task, splits, stages, [int(key, 16) for key in keys] or [task.seed] * len(stages)):
        if saved is not None and saved["phase"] > phase.number:
            continue
        path = paths.get(phase.number)
        with held(path, common.world):
            own, state = checkpoint, saved if saved is not None and saved["phase"] == phase.number else None
            if path is not None:
                own = Checkpoint(path=path)
                state = own.load()
            # A shared file needs none of the others: whoever goes on with it has them.
            needed = {} if path is not None else _needed(earlier, stages, phase)
            reports, left = yield from _train(phase, common, earlier, reports, own, state, needed)
        earlier[phase.number] = left


def _needed(earlier: Mapping[int, Left], stages: Sequence[Pretraining], phase: Phase) -> dict[int, Left]:
    """What earlier phases have left that a phase, where it goes on from a checkpoint, or a later one needs."""
    teachers = {stage.teacher for stage in stages[phase.number :]}
    beginnings = {stage.begins for stage in stages[phase.number + 1 :]}
    method = str((phase.adaptation or {}).get("method", "full"))
    if phase.adaptation is not None and components.parameters(components.ADAPTATIONS, method).reads("left"):
        beginnings.add(phase.begins)
    return {one: left for one, left in earlier.items() if one in teachers | beginnings}


def _train(
    phase: Phase,
    common: Common,
    earlier: Mapping[int, Left],
    before: Sequence[Report],
    checkpoint: Checkpoint | None,
    saved: Mapping[str, Any] | None,
    needed: Mapping[int, Left],
) -> Generator[Report, None, tuple[tuple[Report, ...], Left]]:
    """Train a phase from what earlier ones have left, or on from its own saved state.

    Args:
        phase: to train.
        common: of all phases.
        earlier: what phases have left, by number.
        before: their reports, which were made already.
        checkpoint: where its state is kept.
        saved: that state, if it was begun.
        needed: what the checkpoint is to hold of earlier phases.

    Returns:
        All reports so far, and what the phase leaves.
    """
    reports = list(before)
    if saved is not None:
        reports = [Report(**report) for report in saved["reports"]]
        yield from reports[len(before) :]
        if len(reports) == phase.last:
            return tuple(reports), _left_in(saved, phase.objective)
    state = PhaseState(phase, common, earlier, None if saved is None else saved.get("texts"))
    if saved is not None:
        state.load(saved["states"])
    spent, started = reports[-1].seconds if reports else 0.0, time.monotonic()
    try:
        for epoch in range(len(reports) + 1, phase.last + 1):
            loss, right, monitors = state.train(epoch)
            seconds = round(spent + time.monotonic() - started, 3)
            reports.append(Report(epoch=epoch, accuracy=right, loss=loss, seconds=seconds, monitors=monitors))
            if checkpoint is not None and common.world.rank == 0:
                others = {"earlier": {number: left.to_dict() for number, left in needed.items()}} if needed else {}
                made = [asdict(report) for report in reports]
                checkpoint.save({**state.to_dict(), "reports": made, **others})
            common.world.barrier()
            yield reports[-1]
    finally:
        state.close()
    return tuple(reports), state.left


def _left_in(saved: Mapping[str, Any], objective: str) -> Left:
    """What a phase has left, by the checkpoint that it ended with."""
    return Left(
        weights=saved["evaluated"],
        classifier=saved.get("classifier", False),
        objective=objective,
        heads=saved["states"].get("heads"),
        texts=saved.get("texts"),
    )


def trained(task: Task, splits: Splits, checkpoint: Checkpoint) -> Deployable:
    """The network that a finished checkpoint holds (the average, where the recipe keeps one), in evaluation mode.

    Beside it is the text tower that it was pretrained with, if any.

    Raises:
        FileNotFoundError: there is no checkpoint of a trained network.
    """
    saved = checkpoint.load()
    if saved is None or saved["phase"] < number_of_training(task.candidate, task.epochs):
        raise FileNotFoundError(f"there is no checkpoint of a trained network at '{checkpoint.path}'")
    with torch.random.fork_rng():
        network = build(task.candidate, splits)
    network.load_state_dict(saved["evaluated"])
    return (network.beside(Texts.unpacked(saved["texts"])) if "texts" in saved else network).eval()
