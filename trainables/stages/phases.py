"""What is trained, and its phases: all of it in one, or pretraining and then training from the pretrained weights."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from spaces import components
from spaces.candidate import NO_WEIGHTS, OWN_PICTURES, Candidate
from trainables.assess._score import Weights
from trainables.batches.fields import needs_of
from trainables.joint import load
from trainables.plan import Plan
from trainables.splits import Pictures, Splits
from trainables.stages.precision import Precision
from trainables.stages.pretraining import Pretraining, pretrainings_of


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
    """Part of a trial with one objective: all of it, or a stage of the pretraining, or what follows it.

    Attributes:
        number: from 0; that of training comes after those of the pretraining, and is 1 where there is none.
        last: the report at which it ends.
        judged: whether its reports judge the network's features, as in pretraining, or its class scores.
        begins: number of the phase from whose result it begins; None for random weights or those from elsewhere.
        teacher: number of the phase whose result teaches it; None for none.
        plan: before any ingredient.
        recipe: the ingredients.
        images: what it trains on.
        adaptation: method and its knobs, if it goes on from pretrained weights that are not its own; else None.
        objective, knobs: file in ``trainables/objectives`` and its keywords.
        seed: of all that is random in it.
    """

    number: int
    last: int
    judged: Literal["features", "scores"]
    begins: int | None = None
    teacher: int | None = None
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


def number_of_training(candidate: Candidate, epochs: int) -> int:
    """The number of the phase that trains a candidate, its last one."""
    return max(1, len(pretrainings_of(candidate, epochs)))


def phases_of(task: Task, splits: Splits, stages: Sequence[Pretraining], seeds: Sequence[int]) -> Iterator[Phase]:
    """The phases of a task, which together make as many passes as ``task.epochs`` over the unlabelled images.

    Args:
        task: what is trained.
        splits: the data.
        stages: its pretraining.
        seeds: of each stage.
    """
    done = 0
    for number, (stage, seed) in enumerate(zip(stages, seeds, strict=True)):
        done += stage.reports
        yield _pretraining(stage, splits, number, done, seed)
    objective = task.objective or task.candidate.objective
    labels = reads_labels(objective, task.knobs)
    yield Phase(
        number=max(1, len(stages)),
        last=task.epochs,
        judged="scores",
        begins=len(stages) - 1 if stages else None,
        plan=Plan(epochs=task.epochs - done, images=len(splits.unlabelled), classes=len(splits.classes)),
        recipe=task.candidate.recipe,
        images=splits.train if labels else splits.unlabelled,
        adaptation=task.candidate.adaptation if stages or task.candidate.weights != NO_WEIGHTS else None,
        objective=objective,
        knobs=task.knobs,
        seed=task.seed,
    )


def _pretraining(stage: Pretraining, splits: Splits, number: int, last: int, seed: int) -> Phase:
    labels = reads_labels(stage.objective, stage.knobs)
    images: Pictures = splits.train if labels else splits.unlabelled
    targets, knobs = len(splits.classes), dict(stage.knobs)
    if stage.pictures in splits.pools:
        images = splits.pools[stage.pictures]
    elif stage.pictures != OWN_PICTURES:
        made = components.load(components.PICTURES, stage.pictures).pictures(splits, **stage.pictures_knobs)
        images = made
        if labels:
            targets = knobs["classes"] = made.classes
    return Phase(
        number=number,
        last=last,
        judged="features",
        begins=stage.begins,
        teacher=stage.teacher,
        plan=Plan(epochs=stage.reports, images=max(1, int(len(splits.unlabelled) / stage.passes)), classes=targets),
        recipe=stage.recipe,
        images=images,
        adaptation=None,
        objective=stage.objective,
        knobs=knobs,
        seed=seed,
    )
