"""Labels of what a view shows: a teacher's class map, pooled where the image was cut (ReLabel, Yun et al. 2021).

The map lies beside the image as a field and is moved with it by every augmentation that says where it cuts.
"""

from dataclasses import replace

import torch

from trainables.plan import Batch, LabelMaps, Plan, Stage

PAPER = "https://arxiv.org/abs/2101.05022"
STAGE = Stage.BATCH
OFF = {"weight": 0.0}
TRIED = ({"weight": 1.0, "teacher": "untrained:test_resnet"},)
PER_WORKER = None
FIELD = "classmap"


def apply(plan: Plan, *, weight: float = 0.0, teacher: str = "", keep: int = 5) -> Plan:
    """Mix each target with what the teacher says of the places that the view shows.

    Class scores are averaged over the view's places and then become probabilities; places outside of the image count
    for no class.

    Args:
        plan: the plan so far.
        weight: of the pooled target; the given target has the rest.
        teacher: its name, see ``trainables.teachers.named``; it sees each image once, without augmentation.
        keep: classes whose probabilities are kept of each place.

    Raises:
        ValueError: a weight outside [0, 1], or without a teacher, or nothing is kept.
    """
    if not 0.0 <= weight <= 1.0 or keep < 1:
        raise ValueError(
            f"recipe.label_pooling.weight is in [0, 1] and recipe.label_pooling.keep at least 1, given {weight} and "
            f"{keep}"
        )
    if not weight:
        return plan
    if not teacher:
        raise ValueError("recipe.label_pooling needs recipe.label_pooling.teacher, the name of a network")

    def pool(batch: Batch, generator: torch.Generator) -> Batch:
        pooled_BK = batch.fields[FIELD].mean(dim=(2, 3)).softmax(dim=1)
        others = {name: value for name, value in batch.fields.items() if name != FIELD}
        return replace(batch, target_BK=torch.lerp(batch.target_BK, pooled_BK, weight), fields=others)

    maps = LabelMaps(teacher=teacher, keep=keep)
    return replace(plan, transforms=(*plan.transforms, pool), fields=plan.fields | {FIELD}, maps=maps)
