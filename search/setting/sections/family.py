"""The section ``family``: which members, and how they are trained in the end."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from search.setting.section import LONGEST_PLACE, MOST_AMOUNT, Section
from search.words import parse_amount
from spaces import components

MOST_BUDGETS = 50


def budgets_or_count(value: Any) -> list[float] | int:
    """Budgets with suffixes as in ``parse_amount``, or how many there are to be."""
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_BUDGETS:
        return value
    amounts = [parse_amount(part) for part in value] if isinstance(value, list) else []
    if 1 <= len(amounts) <= MOST_BUDGETS and all(map(_is_budget, amounts)):
        return [float(one) for one in amounts]
    raise ValueError(f"it must be a list of budgets such as [20M, 40M], or their number, from 1 to {MOST_BUDGETS}")


def _is_budget(amount: Any) -> bool:
    return isinstance(amount, int | float) and not isinstance(amount, bool) and 0 < amount <= MOST_AMOUNT


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and 0 < len(name) <= LONGEST_PLACE and name.isprintable()


def count_or_names(value: Any) -> int | list[str]:
    """How many members teach, or names of networks from elsewhere."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_BUDGETS:
        return value
    if isinstance(value, list) and 1 <= len(value) <= MOST_BUDGETS and all(map(_is_name, value)):
        return list(value)
    raise ValueError(
        f"it must be a number, zero or more up to {MOST_BUDGETS}, or a list of names such as [local-dir:FOLDER]"
    )


def evaluations(value: Any) -> list[str]:
    """Names of evaluations, each once."""
    known = components.names(components.EVALUATIONS)
    if not isinstance(value, list):
        raise ValueError(f"it must be a list of {', '.join(known)}")
    for name in value:
        if name not in known:
            raise ValueError(f"'{str(name)[:80]}' is none of {', '.join(known)}")
    return list(dict.fromkeys(value))


class FamilySection(Section):
    """The budgets, the choice of a member for each, and its final training.

    Attributes:
        max_macs: the budgets, one member each; or how many, evenly spaced on a logarithmic scale below the limit.
        contenders: pairs per budget that are trained again with fresh seeds before the choice.
        repeats: fresh seeds of each contender.
        finalists: contenders per budget that begin the final training; by halves the better ones go on, and one ends.
        confidence: multiple of the predicted spread that is subtracted from the predicted accuracy.
        epochs: length of the final schedule.
        seeds: final trainings of each member; the best on search-validation is exported.
        teachers: how many of the networks that are best on search-validation teach, together, those that make more than
            twice their errors; 0 for none. Or names of networks that teach all: ``local-dir:FOLDER`` of an exported
            network, or ``MODEL@CHECKPOINT`` of timm.
        untaught: whether networks that are taught by names from elsewhere are trained on labels alone, too, so that the
            better of both is the member.
        training_seed: of the first final training of each network; by default drawn from the run's.
        soup: mix the weights of final trainings that begin from the same weights (of one pretraining, or from
            elsewhere), and export the mix if it is better on search-validation: all alike, from the best on those that
            make it no worse, or by shares that are fitted to search-validation.
        soup_recipes: further trainings for the soup of each network: those of the best trials that begin from the same
            weights with other recipes.
        objective: file in ``trainables/objectives`` that compares a network with its teachers.
        stored_targets: whether the teachers' answers are kept on disk and reused; all pupils then have the
            augmentation, mixing and batch size of the best network, so that they see the same views.
        top_k: class probabilities that are kept for a view.
        distillation_weight: weight of the divergence from the teachers.
        label_weight: weight of the cross-entropy with the labels; at 0 pupils learn from images without labels, too.
        temperature: of the distillation.
        references: train the hand-written pair of each budget in full as well, on labels, so that the run says what
            searching brought.
        precision: of the forward passes of final trainings; ``auto`` is bfloat16 on a GPU that computes in it, float32
            on all else. Trials, evaluation and what is exported are float32.
        assess: evaluations (files in ``trainables/assess``) of every member at the end of the run; ``search
            evaluate`` makes them at any time.
        license: of the weights, for the model cards, by the hub's names (``apache-2.0``, ``cc-by-4.0``, ``other``).
    """

    max_macs: Annotated[list[float] | int, PlainValidator(budgets_or_count)] = 5
    contenders: int = Field(default=2, ge=1, le=100)
    repeats: int = Field(default=1, ge=0, le=100)
    finalists: int = Field(default=2, ge=1, le=100)
    confidence: float = Field(default=0.5, ge=0, le=100)
    epochs: int = Field(default=30, ge=1, le=100_000)
    seeds: int = Field(default=1, ge=1, le=100)
    teachers: Annotated[int | list[str], PlainValidator(count_or_names)] = 1
    untaught: bool = True
    training_seed: int | None = Field(default=None, ge=0, lt=2**63)
    soup: Literal["none", "uniform", "greedy", "learned"] = "none"
    soup_recipes: int = Field(default=0, ge=0, le=100)
    objective: str = "distillation"
    stored_targets: bool = False
    top_k: int = Field(default=10, ge=1, le=100_000)
    distillation_weight: float = Field(default=0.8, ge=0, le=1000)
    label_weight: float = Field(default=0.2, ge=0, le=1000)
    temperature: float = Field(default=1.0, ge=0.01, le=1000)
    references: bool = True
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    assess: Annotated[list[str], PlainValidator(evaluations)] = Field(default_factory=list)
    license: str = Field(default="unknown", max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.distillation_weight == 0 and self.label_weight == 0:
            raise ValueError("distillation_weight and label_weight are both 0, so that nothing is trained; raise one")
        return self
