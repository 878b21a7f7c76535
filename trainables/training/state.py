"""A phase that is being trained: its plan, what a checkpoint keeps of it, and an epoch of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spaces import components
from spaces.candidate import OWN_PICTURES, keywords
from trainables.adapt._shape import shape
from trainables.adapt._standardised import plain_state
from trainables.assess import some
from trainables.deploy import Deployable
from trainables.frozen.probing import Probing, probing_of, resting
from trainables.joint import load
from trainables.language.texts import Texts
from trainables.plan import LabelMaps, Led, Plan, Reading, Stateful, Watched, compose
from trainables.splits import Images, Pictures, Splits
from trainables.stages.phases import Phase, Task
from trainables.teachers.class_maps import with_class_maps
from trainables.teachers.pretraining import taught
from trainables.training.building import build, load_features, pretrained_weights
from trainables.training.epoch import TrialFailed, seed_of, train_epoch
from trainables.training.features import accuracy, features_of, judged, score
from trainables.training.left import Heads, Left
from trainables.training.loading import Loader, processes_beside
from trainables.training.world import World

STANDARDISED_BY = 512
"""Images at most whose features tell a probe their mean and spread."""
NOTHING = Left()
"""What is left before the first phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
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

    def network(self, left: Left) -> Deployable:
        """The network that a phase has left, which is trained no more."""
        with torch.random.fork_rng():
            network = build(self.task.candidate, self.splits, shaped=False)
        network.load_state_dict(dict(left.weights or {}))
        return network.to(self.device).eval().requires_grad_(False)

    def score(self, phase: Phase, network: Deployable, probing: Probing | None) -> tuple[float, dict[str, float]]:
        """``accuracy`` of a report, and the figures that it is made of where it is not accuracy."""
        world, device = self.world, self.device
        if phase.judged == "features":
            features = features_of(network, self.splits.train, self.splits.validation, world=world, device=device)
            return score(features, "nearest_mean", classes=len(self.splits.classes), world=world, device=device), {}
        scored = None if probing is None else partial(probing.scores, network)
        right = accuracy(network, self.splits.validation, world=world, device=device, scored=scored)
        return judged(self.task.score, network, self.splits, right, world=world, device=device)


class PhaseState:
    """A phase that is being trained: its plan, and all that a checkpoint keeps."""

    def __init__(
        self, phase: Phase, whole: Common, earlier: Mapping[int, Left], texts: Mapping[str, Any] | None
    ) -> None:
        compares, named = load(phase.objective).COMPARES, isinstance(phase.knobs.get("teacher"), str)
        self._taught, knobs = taught(phase.knobs, whole.splits, whole.device, whole.targets, compares=compares)
        if phase.teacher is not None:
            knobs = {**knobs, "teacher": whole.network(earlier[phase.teacher])}
        phase = replace(phase, knobs=knobs)
        self._phase, self._whole = phase, whole
        self._classifier = named and "classes" not in phase.knobs
        before = NOTHING if phase.begins is None else earlier.get(phase.begins, NOTHING)
        if texts is not None:
            before = replace(before, texts=texts)
        self._plan = plan = _plan(phase, whole, before)
        self._objective = whole.world.wrap(plan.trained(), whole.device, thaws=plan.thaws)
        images = phase.images if plan.pictures is None else plan.pictures
        pictures = images if plan.maps is None else whole.mapped(images, plan.maps)
        self._probing = probing_of(plan, whole.task.candidate, phase.recipe, pictures, phase.objective)
        if self._probing is not None:
            self._on_features = whole.world.wrap(self._probing.objective, whole.device)
        self._states: dict[str, Stateful] = {
            "network": plan.built(), "heads": Heads(plan.trained()), **plan.states
        }  # fmt: skip
        objective = plan.trained()
        evaluated = plan.evaluated or (objective.evaluated if isinstance(objective, Led) else plan.built())
        assert isinstance(evaluated, Deployable)
        self.evaluated = evaluated
        side = round(evaluated.resolution / evaluated.view.crop)  # of which the network sees the middle
        processes = processes_beside(whole.device) if whole.loaders is None else whole.loaders
        self._loader = Loader(pictures, square=plan.square, side=side, processes=processes, device=whole.device)

    @property
    def left(self) -> Left:
        """What the phase leaves, once it has ended."""
        return Left(
            weights=plain_state(self.evaluated),
            classifier=self._classifier,
            objective=self._phase.objective,
            heads=self._states["heads"].state_dict(),
            texts=self._texts,
        )

    @property
    def _texts(self) -> Mapping[str, Any] | None:
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
            "evaluated": plain_state(self.evaluated),  # tensors that are in the states too are written once
            "classifier": self._classifier,
            **({} if self._texts is None else {"texts": self._texts}),
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
        if isinstance(plan.texts, Texts):
            self.evaluated.beside(plan.texts)  # which evaluations of a score may read
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


def _plan(phase: Phase, whole: Common, before: Left) -> Plan:
    def build_on_device(extra: Mapping[str, Any]) -> nn.Module:
        # In the form of its pretraining, which candidates of several adaptations may share.
        network = build(whole.task.candidate, whole.splits, extra, shaped=False)
        network = network.to(whole.device)
        # Convolutions of small networks are about half as fast again with channels last, on CPUs as on GPUs; those of
        # clips, whose kernels have time, too, stay as they are.
        of_clips = any(weight.ndim == 5 for weight in network.parameters())
        return network if of_clips else network.to(memory_format=torch.channels_last)

    def features(network: Deployable) -> Tensor:
        assert isinstance(phase.images, Images)
        return resting(network, whole.task.candidate).plain(some(phase.images, STANDARDISED_BY))

    def with_objective(plan: Plan) -> Plan:
        left = pretrained_weights(plan.built(), whole.splits.weights) if before.weights is None else before.weights
        if left is not None:
            load_features(plan.built(), left, classifier=before.classifier)
        if phase.adaptation is not None:
            network = plan.built()
            assert isinstance(network, Deployable)
            shape(network.network, whole.task.candidate)
        if before.texts is not None:
            plan = replace(plan, texts=Texts.unpacked(before.texts).to(whole.device))
        if phase.adaptation is not None:  # also where training goes on from a checkpoint, which holds the weights
            own = {"left": before, "trained": before.classifier, "features": features}
            plan = _adapted(plan, phase.adaptation, {**own, **whole.offered})
        module = load(phase.objective)
        if plan.objective is not None and "teacher" in phase.knobs:
            raise ValueError("this adaptation has a loss of its own, with which no teacher is compared")
        objective = plan.objective or module.objective(plan.built(), **phase.knobs)
        if before.heads is not None and phase.judged == "features":
            Heads(objective).go_on_from(before, phase.objective)
        return replace(plan, objective=objective.to(whole.device), fixed_side=module.FIXED_SIDE)

    with torch.random.fork_rng():
        torch.manual_seed(seed_of(phase.seed, 0, 0))
        return compose(phase.plan, phase.recipe, build_on_device, with_objective)


def _adapted(plan: Plan, adaptation: Mapping[str, Any], offered: Mapping[str, Any]) -> Plan:
    """The plan by the method of an adaptation, which is given what it has a keyword for of what is offered."""
    knobs = dict(adaptation)
    method = components.load(components.ADAPTATIONS, str(knobs.pop("method", "full")))
    own = f"{method.__name__.rpartition('.')[2]}."
    wanted = signature(method.adapt).parameters
    own_knobs = keywords({name.removeprefix(own): value for name, value in knobs.items()})
    beside = {name: value for name, value in {"texts": plan.texts, **offered}.items() if name in wanted}
    adapted: Plan = method.adapt(plan, **beside, **own_knobs)
    return adapted
