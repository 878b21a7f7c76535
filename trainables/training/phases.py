"""What is trained, and its phases: all of it in one, or pretraining and then training from the pretrained weights."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from spaces import components
from spaces.candidate import NO_WEIGHTS, OWN_PICTURES, Candidate
from trainables.assess._score import Weights
from trainables.batches.fields import needs_of
from trainables.joint import load
from trainables.plan import Plan
from trainables.splits import Pictures, Splits
from trainables.training.precision import Precision
from trainables.training.pretraining import Pretraining


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is trained and how long.

    Attributes:
        candidate: architecture, recipe and pretraining.
        epochs: the compute, in passes over all images, of pretraining and training together; whoever consumes the
            reports may stop before.
        seed: of initialisation, order of images, augmentation, dropout.
        objective: file name in ``trainables/objectives``; the candidate's own by default.
        knobs: keywords of the ``objective``, e.g. a teacher.
        precision: of the forward passes in training.
        score: what its reports are judged by on search-validation; none for accuracy alone.
    """

    candidate: Candidate
    epochs: int
    seed: int
    objective: str | None = None
    knobs: Mapping[str, Any] = field(default_factory=dict)
    precision: Precision = "float32"
    score: Weights = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Part of a trial with one objective: all of it, or the pretraining, or what follows it.

    Attributes:
        number: 0 for pretraining, 1 for training.
        last: the report at which it ends.
        plan: before any ingredient.
        recipe: the ingredients.
        images: what it trains on.
        adaptation: method and its knobs, if it goes on from pretrained weights that are not its own; else None.
        objective, knobs: file in ``trainables/objectives`` and its keywords.
        seed: of all that is random in it.
    """

    number: int
    last: int
    plan: Plan
    recipe: Mapping[str, Any]
    images: Pictures
    adaptation: Mapping[str, Any] | None
    objective: str
    knobs: Mapping[str, Any]
    seed: int

    @property
    def labels(self) -> bool:
        """Whether the objective reads the targets."""
        return reads_labels(self.objective, self.knobs)

    @property
    def needs(self) -> tuple[str, ...]:
        """Fields of images that the objective reads."""
        return needs_of(self.objective, self.knobs)


def reads_labels(objective: str, knobs: Mapping[str, Any]) -> bool:
    """Whether an objective reads the targets; if not, it is trained on the images without labels, too.

    With a teacher and no weight for labels it does not, as in SSLD, where a student only agrees with its teacher.
    """
    return bool(load(objective).LABELS) and knobs.get("label_weight", 1.0) > 0


def phases_of(task: Task, splits: Splits, first: Pretraining | None, pretraining_seed: int) -> Iterator[Phase]:
    """The phases of a task, which together make as many passes as ``task.epochs`` over the unlabelled images."""
    compute = len(splits.unlabelled)
    classes = len(splits.classes)
    before = 0
    if first is not None:
        before = first.reports
        labels = reads_labels(first.objective, first.knobs)
        images, targets, knobs = splits.train if labels else splits.unlabelled, classes, dict(first.knobs)
        if first.pictures in splits.pools:
            images = splits.pools[first.pictures]
        elif first.pictures != OWN_PICTURES:
            pictures = components.load(components.PICTURES, first.pictures).pictures(splits, **first.pictures_knobs)
            images = pictures
            if labels:
                targets = knobs["classes"] = pictures.classes
        yield Phase(
            number=0,
            last=before,
            plan=Plan(epochs=before, images=max(1, int(compute / first.passes)), classes=targets),
            recipe=first.recipe,
            images=images,
            adaptation=None,
            objective=first.objective,
            knobs=knobs,
            seed=pretraining_seed,
        )
    objective = task.objective or task.candidate.objective
    labels = reads_labels(objective, task.knobs)
    yield Phase(
        number=1,
        last=task.epochs,
        plan=Plan(epochs=task.epochs - before, images=compute, classes=classes),
        recipe=task.candidate.recipe,
        images=splits.train if labels else splits.unlabelled,
        adaptation=None if first is None and task.candidate.weights == NO_WEIGHTS else task.candidate.adaptation,
        objective=objective,
        knobs=task.knobs,
        seed=task.seed,
    )
