"""The one training loop: a generator of reports. It knows no backbone, objective or ingredient by name."""

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spaces import components
from spaces.candidate import OWN_PICTURES, Candidate, keywords
from trainables.deploy import Deployable
from trainables.frozen.probing import Probing, probing_of
from trainables.job import Report
from trainables.joint import load
from trainables.language.texts import Texts
from trainables.plan import LabelMaps, Led, Plan, Reading, Stateful, Watched, compose
from trainables.splits import Images, Pictures, Splits
from trainables.teachers.class_maps import with_class_maps
from trainables.teachers.pretraining import taught
from trainables.training.building import Weights, build, load_features, pretrained_weights
from trainables.training.checkpoint import Checkpoint
from trainables.training.epoch import TrialFailed, seed_of, train_epoch
from trainables.training.features import features_of, judged, score
from trainables.training.loading import Loader, processes_beside
from trainables.training.phases import Phase, Task, phases_of
from trainables.training.pretraining import held, key_of, pretraining_of
from trainables.training.world import World

__all__ = ["Candidate", "Task", "TrialFailed", "accuracy", "build", "scores", "trained", "trial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """What all phases of a trial have in common."""

    task: Task
    splits: Splits
    world: World
    device: torch.device
    loaders: int | None = None
    targets: Path | None = None

    @property
    def offered(self) -> dict[str, Any]:
        """What adaptations may be given by keyword: names of the classes, and the images that were pretrained on."""
        splits, source = self.splits, str(self.task.candidate.pretraining.get("source", OWN_PICTURES))
        pool = splits.pools.get(source, splits.unlabelled)
        return {"names": splits.names, "synonyms": splits.synonyms, "pool": pool}

    def mapped(self, pictures: Pictures, maps: LabelMaps) -> Images:
        """Pictures with a teacher's class maps, which are kept beside its other answers."""
        folder = None if self.targets is None else self.targets / "maps"
        return with_class_maps(pictures, maps, self.splits, self.device, folder)

    def score(self, phase: Phase, network: Deployable, probing: Probing | None) -> tuple[float, dict[str, float]]:
        """``accuracy`` of a report, and the figures that it is made of where it is not accuracy."""
        world, device = self.world, self.device
        if phase.number == 0:
            features = features_of(network, self.splits.train, self.splits.validation, world=world, device=device)
            return score(features, "nearest_mean", classes=len(self.splits.classes), world=world, device=device), {}
        scored = None if probing is None else partial(probing.scores, network)
        right = accuracy(network, self.splits.validation, world=world, device=device, scored=scored)
        return judged(self.task.score, network, self.splits, right, world=world, device=device)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """What a phase leaves to the next: the reports so far, and the weights that are evaluated.

    ``classifier`` says whether these hold a classifier of the data's classes that was trained; ``texts`` is what it has
    learnt of texts, as ``Texts.packed`` gives it.
    """

    reports: tuple[Report, ...] = ()
    weights: Weights | None = None
    classifier: bool = False
    texts: Mapping[str, Any] | None = None


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
    whole = _Trial(
        task=task,
        splits=splits,
        world=world or World(),
        device=device or torch.device("cpu"),
        loaders=loaders,
        targets=None if cache is None else cache / "targets",
    )
    first = pretraining_of(task.candidate, task.epochs)
    shared = None if first is None or cache is None else cache / f"{key_of(task.candidate, first, splits)}.pt"
    saved = checkpoint.load() if checkpoint is not None else None
    left = _Left()
    for phase in phases_of(task, splits, first, task.seed if shared is None else int(shared.stem, 16)):
        if saved is not None and saved["phase"] > phase.number:
            continue
        path = shared if phase.number == 0 else None
        with held(path, whole.world):
            own, state = checkpoint, saved if saved is not None and saved["phase"] == phase.number else None
            if path is not None:
                own = Checkpoint(path=path)
                state = own.load()
            left = yield from _train(phase, whole, left, own, state)


def _train(
    phase: Phase, whole: _Trial, before: _Left, checkpoint: Checkpoint | None, saved: Mapping[str, Any] | None
) -> Generator[Report, None, _Left]:
    """Train a phase from what the one before has left, or on from its own saved state."""
    left = before
    if saved is not None:
        left = _Left(
            reports=tuple(Report(**report) for report in saved["reports"]),
            weights=saved["evaluated"],
            classifier=saved.get("classifier", False),
            texts=saved.get("texts"),
        )
        yield from left.reports
        if len(left.reports) == phase.last:
            return left
        before = replace(before, texts=left.texts)
    state = _State(phase, whole, before)
    if saved is not None:
        state.load(saved["states"])
    reports = list(left.reports)
    spent, started = reports[-1].seconds if reports else 0.0, time.monotonic()
    try:
        for epoch in range(len(reports) + 1, phase.last + 1):
            loss, right, monitors = state.train(epoch)
            seconds = round(spent + time.monotonic() - started, 3)
            reports.append(Report(epoch=epoch, accuracy=right, loss=loss, seconds=seconds, monitors=monitors))
            if checkpoint is not None and whole.world.rank == 0:
                checkpoint.save({**state.to_dict(), "reports": [asdict(report) for report in reports]})
            whole.world.barrier()
            yield reports[-1]
    finally:
        state.close()
    weights = state.evaluated.state_dict()
    return _Left(reports=tuple(reports), weights=weights, classifier=state.classifier, texts=state.texts)


class _State:
    """A phase that is being trained: its plan, and all that a checkpoint keeps."""

    def __init__(self, phase: Phase, whole: _Trial, before: _Left) -> None:
        compares, named = load(phase.objective).COMPARES, isinstance(phase.knobs.get("teacher"), str)
        self._taught, knobs = taught(phase.knobs, whole.splits, whole.device, whole.targets, compares=compares)
        phase = replace(phase, knobs=knobs)
        self._phase, self._whole = phase, whole
        self.classifier = named and "classes" not in phase.knobs
        self._plan = plan = _plan(phase, whole, before)
        self._objective = whole.world.wrap(plan.trained(), whole.device, thaws=plan.thaws)
        images = phase.images if plan.pictures is None else plan.pictures
        pictures = images if plan.maps is None else whole.mapped(images, plan.maps)
        self._probing = probing_of(plan, whole.task.candidate, phase.recipe, pictures, phase.objective)
        if self._probing is not None:
            self._on_features = whole.world.wrap(self._probing.objective, whole.device)
        self._states: dict[str, Stateful] = {
            "network": plan.built(), "heads": _Heads(plan.trained()), **plan.states
        }  # fmt: skip
        objective = plan.trained()
        evaluated = plan.evaluated or (objective.evaluated if isinstance(objective, Led) else plan.built())
        assert isinstance(evaluated, Deployable)
        self.evaluated = evaluated
        side = round(evaluated.resolution / evaluated.view.crop)  # of which the network sees the middle
        processes = processes_beside(whole.device) if whole.loaders is None else whole.loaders
        self._loader = Loader(pictures, square=plan.square, side=side, processes=processes, device=whole.device)

    @property
    def texts(self) -> Mapping[str, Any] | None:
        """What this phase, or the one before, has learnt of texts."""
        objective = self._plan.trained()
        texts = objective.texts if isinstance(objective, Reading) else self._plan.texts
        return texts.packed() if isinstance(texts, Texts) else None

    def close(self) -> None:
        """End the processes that read for it."""
        self._loader.close()

    def load(self, states: Mapping[str, Any]) -> None:
        """Go on from what ``to_dict`` has kept as ``states``."""
        for name, state in self._states.items():
            state.load_state_dict(states[name])

    def to_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps beside the reports."""
        return {
            "phase": self._phase.number,
            "states": {name: state.state_dict() for name, state in self._states.items()},
            "evaluated": self.evaluated.state_dict(),  # tensors that are in the states too are written once
            "classifier": self.classifier,
            **({} if self.texts is None else {"texts": self.texts}),
        }

    def train(self, epoch: int) -> tuple[float, float, dict[str, float]]:
        """Train for an epoch of the trial; loss, score and what the objective watches.

        Raises:
            TrialFailed: a loss that is not finite, not enough memory, or a pretraining that ends collapsed.
        """
        phase, plan, world, device = self._phase, self._plan, self._whole.world, self._whole.device
        number = epoch - phase.last + plan.epochs
        for act in plan.before_epoch:
            act(number)
        probing = self._probing if self._probing is not None and self._probing.covers(number) else None
        loss = train_epoch(
            plan if probing is None else probing.plan,
            self._objective if probing is None else self._on_features,
            self._loader if probing is None else Loader(probing.pictures(number), device=device),
            labels=phase.labels,
            needs=phase.needs if probing is None else (),
            seed=phase.seed,
            epoch=epoch,
            number=number,
            world=world,
            device=device,
            precision=self._whole.task.precision,
        )
        if self._taught is not None:
            self._taught.flush()
        if not math.isfinite(loss):
            raise TrialFailed(f"the training loss is {loss} in epoch {epoch}; the learning rate may be too high")
        monitors = self._watched(epoch)
        world.align(self.evaluated)
        right, figures_of_score = self._whole.score(phase, self.evaluated, probing)
        return loss, right, {**monitors, **figures_of_score}

    def _watched(self, epoch: int) -> dict[str, float]:
        objective, world = self._plan.trained(), self._whole.world
        if not isinstance(objective, Watched):
            return {}
        values = objective.watched()
        mean = world.total(torch.tensor(list(values.values()), dtype=torch.float64, device=self._whole.device))
        values = dict(zip(values, (mean / world.size).tolist(), strict=True))
        trouble = objective.trouble(values) if epoch == self._phase.last else None
        if trouble is not None:
            raise TrialFailed(f"{trouble}; after {epoch} epochs of pretraining")
        return values


@dataclass(frozen=True, slots=True)
class _Heads:
    """The state of an objective without its network, which is kept beside it."""

    objective: nn.Module

    def state_dict(self) -> dict[str, Any]:
        network = self._network
        return {name: value for name, value in self.objective.state_dict().items() if not name.startswith(network)}

    @property
    def _network(self) -> tuple[str, ...]:
        """Beginnings of the names of the network's tensors: each part of a joint objective holds it, too."""
        modules = self.objective.named_modules(remove_duplicate=False)
        return tuple(f"{name}." for name, module in modules if module is self.objective.network)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        _, unknown = self.objective.load_state_dict(state, strict=False)
        if unknown:
            raise ValueError(f"the checkpoint holds '{unknown[0]}', which the objective does not have")


def trained(task: Task, splits: Splits, checkpoint: Checkpoint) -> Deployable:
    """The network that a finished checkpoint holds (the average, where the recipe keeps one), in evaluation mode.

    Beside it is the text tower that it was pretrained with, if any.

    Raises:
        FileNotFoundError: there is no checkpoint of a trained network.
    """
    saved = checkpoint.load()
    if saved is None or saved["phase"] == 0:
        raise FileNotFoundError(f"there is no checkpoint of a trained network at '{checkpoint.path}'")
    with torch.random.fork_rng():
        network = build(task.candidate, splits)
    network.load_state_dict(saved["evaluated"])
    return (network.beside(Texts.unpacked(saved["texts"])) if "texts" in saved else network).eval()


def _plan(phase: Phase, whole: _Trial, before: _Left) -> Plan:
    def build_on_device(extra: Mapping[str, Any]) -> nn.Module:
        network = build(whole.task.candidate, whole.splits, extra)
        # Convolutions of small networks are about half as fast again with channels last, on CPUs as on GPUs.
        return network.to(whole.device).to(memory_format=torch.channels_last)

    def with_objective(plan: Plan) -> Plan:
        left = pretrained_weights(plan.built(), whole.splits.weights) if before.weights is None else before.weights
        if left is not None:
            load_features(plan.built(), left, classifier=before.classifier)
        if before.texts is not None:
            plan = replace(plan, texts=Texts.unpacked(before.texts).to(whole.device))
        if phase.adaptation is not None:  # also where training goes on from a checkpoint, which holds the weights
            plan = _adapted(plan, phase.adaptation, whole.offered)
        module = load(phase.objective)
        if plan.objective is not None and "teacher" in phase.knobs:
            raise ValueError("an adaptation by class names has a loss of its own, with which no teacher is compared")
        objective = plan.objective or module.objective(plan.built(), **phase.knobs)
        return replace(plan, objective=objective.to(whole.device), fixed_side=module.FIXED_SIDE)

    with torch.random.fork_rng():
        torch.manual_seed(seed_of(phase.seed, 0, 0))
        return compose(phase.plan, phase.recipe, build_on_device, with_objective)


def _adapted(plan: Plan, adaptation: Mapping[str, Any], offered: Mapping[str, Any]) -> Plan:
    """The plan by the method of an adaptation, which is given ``texts`` and what else it has a keyword for."""
    knobs = dict(adaptation)
    method = components.load(components.ADAPTATIONS, str(knobs.pop("method", "full")))
    own = f"{method.__name__.rpartition('.')[2]}."
    wanted = signature(method.adapt).parameters
    own_knobs = keywords({name.removeprefix(own): value for name, value in knobs.items()})
    beside = {name: value for name, value in {"texts": plan.texts, **offered}.items() if name in wanted}
    adapted: Plan = method.adapt(plan, **beside, **own_knobs)
    return adapted


@torch.inference_mode()
def scores(network: nn.Module, images: Images, *, device: torch.device | None = None, size: int = 256) -> Tensor:
    """Class scores of all images, shape (N, K), on the CPU. Leaves the network in evaluation mode."""
    device = device or torch.device("cpu")
    network.eval()
    return torch.cat(
        [network(batch.to(device, memory_format=torch.channels_last)).cpu() for batch in images.batches(size)]
    )


def accuracy(
    network: nn.Module,
    images: Images,
    *,
    world: World | None = None,
    device: torch.device | None = None,
    scored: Callable[[Images], Tensor] | None = None,
) -> float:
    """Share of the images classified correctly, each worker taking its part of them.

    ``scored`` gives class scores (N, K) of images, by default those of a pass of the network.
    """
    world, device = world or World(), device or torch.device("cpu")
    # Taking rows copies them; a single worker needs no copy.
    part = images if world.size == 1 else images.take(np.arange(len(images))[world.rank :: world.size])
    scores_NK = scores(network, part, device=device) if scored is None else scored(part)
    right = (scores_NK.argmax(1) == torch.from_numpy(part.label_N)).sum()
    return float(world.total(right.to(device))) / len(images)
