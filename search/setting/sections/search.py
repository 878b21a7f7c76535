"""The section ``search``: the rounds of trials."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from search.samplers.by_name import names as sampler_names
from search.setting.section import Place, Section, Share, one_of
from spaces import components
from trainables.job import ACCURACY, OF_EVALUATION

MOST_WEIGHT = 1e6


def scores() -> tuple[str, ...]:
    """All that a search can judge by: ``accuracy`` and ``assess.EVALUATION.METRIC``."""
    kind = components.EVALUATIONS
    metrics = {name: components.constant(kind, name, "SCORES") for name in components.names(kind)}
    return (ACCURACY, *(f"{OF_EVALUATION}{name}.{metric}" for name, own in metrics.items() for metric in own))


def score_or_weights(value: Any) -> str | dict[str, float]:
    """One name of ``scores``, or a weight for each of some."""
    allowed = scores()
    for name in value if isinstance(value, dict) else [value]:
        if not isinstance(name, str) or name not in allowed:
            raise ValueError(f"'{str(name)[:80]}' is none of {', '.join(allowed)}, or weights of some of them")
    if not isinstance(value, dict):
        return str(value)
    weights = [weight for weight in value.values() if isinstance(weight, int | float) and not isinstance(weight, bool)]
    if not value or len(weights) < len(value) or not all(0 < weight <= MOST_WEIGHT for weight in weights):
        raise ValueError("its weights are numbers above 0, such as {accuracy: 1, assess.corruption.accuracy: 1}")
    return {name: float(weight) for name, weight in zip(value, weights, strict=True)}


def words_of_score(search: "SearchSection") -> str:
    """What a search judges by: ``0.5 accuracy + 0.5 assess.by_class.worst``."""
    return " + ".join(f"{weight:.3g} {name}" for name, weight in search.weights) or ACCURACY


class SearchSection(Section):
    """How many trials, who proposes them, and when they stop.

    Attributes:
        trials: candidates to train.
        initial: how many of them before the predictor chooses, where no earlier trainings do (a prior, a warm start:
            from the fifth of them the predictor chooses); trained in full under the paper's rule.
        batch: candidates proposed together.
        epochs: length of the schedule of a candidate.
        sampler: file in ``search/samplers``, or one of Optuna's.
        references: hand-written pairs of the space among the first trials, so that a search never ends below them:
            ``auto`` one for every two budgets, largest first and at most half of ``initial``; ``all``; or ``none``.
        begin_with: files of candidates (``candidate.json``) that are the first trials.
        prior: recorded trainings of other data that the search starts from: ``auto``, the tables of the space that come
            with the program (``spaces/priors``); ``none``; or the ``.json`` of a table (``docs/sampler.md``).
        predictor: file in ``predictors``, fitted to all trials for each round of proposals.
        watched: predictor whose rank agreement on held-out trials is measured, with and without pretraining, whenever
            the trials have doubled and at the end (from 800 trials on by a fit to 600 of them).
        pretrain: free candidates whose statistics the predictor's encoder is pretrained on.
        stopping: ``paper`` stops all candidates at one epoch, at which ranks are decided; ``regret`` stops each as soon
            as what the stopped ones could still have brought is worth less than the tolerance.
        score: what candidates and final trainings are judged by on search-validation, in every report: ``accuracy``, a
            figure of an evaluation such as ``assess.corruption.accuracy`` (the cheap form that its file states), or
            weights of several, such as ``{accuracy: 1, assess.by_class.worst: 1}``, whose weighted mean it is.
        regret: the tolerance of ``regret``: expected loss of the best, as a share of its distance from the median.
        rank_correlation: the threshold of ``paper``: the first epoch whose correlation with the final ranks reaches
            it is where candidates stop.
        coefficient: which rank correlation.
        reproducible: whether a round waits for all trials but as many of the last as run beside another, and learns
            from those that it waits for: the same seed then finds the same, whatever the load, under the ``paper``
            rule; without it no place is ever free, and a round learns from what has ended.
        audit: share of candidates that are trained in full whatever the rule says, to re-check it; by default 0.125
            under ``paper`` and none under ``regret``, which does without.
    """

    trials: int = Field(default=100, ge=4, le=1_000_000)
    initial: int = Field(default=24, ge=3, le=1_000_000)
    batch: int = Field(default=8, ge=1, le=10_000)
    epochs: int = Field(default=10, ge=1, le=100_000)
    sampler: Annotated[str, one_of(sampler_names)] = "nars"
    references: Literal["auto", "none", "all"] = "auto"
    begin_with: list[Place] = Field(default_factory=list, max_length=1000)
    prior: Place = "auto"
    predictor: Annotated[str, one_of(components.PREDICTORS)] = "gp"
    watched: Annotated[str, one_of(components.PREDICTORS)] = "mlp"
    pretrain: int = Field(default=5000, ge=0, le=10_000_000)
    score: Annotated[str | dict[str, float], PlainValidator(score_or_weights)] = ACCURACY
    stopping: Literal["paper", "regret"] = "paper"
    regret: float = Field(default=0.01, gt=0, le=1)
    rank_correlation: Share = 0.92
    coefficient: Literal["kendall", "spearman"] = "spearman"
    reproducible: bool = True
    audit: float | None = Field(default=None, ge=0, le=1)

    @property
    def weights(self) -> tuple[tuple[str, float], ...]:
        """The score as names with weights of sum 1; none for accuracy alone."""
        weight_of = self.score if isinstance(self.score, dict) else {self.score: 1.0}
        total = sum(weight_of.values())
        return () if list(weight_of) == [ACCURACY] else tuple((name, one / total) for name, one in weight_of.items())

    @property
    def audited(self) -> float:
        """Share of candidates that are trained in full whatever the rule says."""
        return self.audit if self.audit is not None else 0.125 if self.stopping == "paper" else 0.0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.initial > self.trials:
            raise ValueError(f"initial ({self.initial}) must not exceed trials ({self.trials})")
        return self
