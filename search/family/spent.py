"""What training took: time, images, and forward-backward passes, the unit in which objectives are compared."""

from collections.abc import Iterable
from dataclasses import dataclass

from spaces.candidate import Candidate
from trainables.recipe import curriculum
from trainables.splits import Splits
from trainables.stages.pretraining import pretrainings_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What some trainings took together.

    Attributes:
        trainings: how many.
        seconds: time between the start and the last report of each, summed.
        images: images that were drawn, each as often as it was drawn.
        passes: forward-backward passes of the backbone through an image of its resolution, of which one of half the
            side is a quarter; forward passes of teachers and of validation are not among them. An objective that takes
            several views of an image makes several passes for it.
    """

    trainings: int
    seconds: float
    images: int
    passes: int


def spent(candidate: Candidate, splits: Splits, *, epochs: int, reached: int, seconds: float) -> Spent:
    """What one training took; a pretraining that trials share is counted for each of them.

    Args:
        candidate: what was trained.
        splits: on what.
        epochs: length of its schedule.
        reached: reports it made before it ended or was stopped.
        seconds: time that it took.
    """
    # A report comes after as many passes as there are images to pretrain on, whatever the objective.
    whole = len(splits.unlabelled)
    full = int(str(candidate.architecture.get("resolution", splits.resolution)))
    stages = pretrainings_of(candidate, epochs)
    planned = [stage.reports for stage in stages]
    lengths = [*planned, epochs - sum(planned)]
    recipes = [*(stage.recipe for stage in stages), candidate.recipe]
    drawn = [*(max(1, int(whole / stage.passes)) for stage in stages), whole]
    images, passes, left = 0, 0.0, reached
    for length, recipe, count in zip(lengths, recipes, drawn, strict=True):
        made = min(length, left)
        left -= made
        images += made * count
        passes += whole * curriculum.cost(length, made, float(recipe.get("curriculum.start", 1.0)), full)
    return Spent(trainings=1, seconds=round(seconds, 3), images=images, passes=round(passes))


def together(parts: Iterable[Spent]) -> Spent:
    """The sum of some trainings."""
    every = list(parts)
    return Spent(
        trainings=sum(part.trainings for part in every),
        seconds=round(sum(part.seconds for part in every), 3),
        images=sum(part.images for part in every),
        passes=sum(part.passes for part in every),
    )
