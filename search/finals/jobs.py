"""The final trainings of a candidate: on labels alone, with teachers, or as a trial trained it."""

from collections.abc import Sequence
from dataclasses import replace

from search.record.trial import Trial, training_seed
from search.setting.sections.family import FamilySection
from spaces import components
from spaces.candidate import Candidate
from trainables.final.jobs import FinalJob
from trainables.plan import Stage

FIRST_SEED = 1_000_000
"""Number of the first seed of final trainings among the run's; no study has as many trials."""


def on_labels(family: FamilySection, seed: int, candidate: Candidate) -> list[FinalJob]:
    """The final trainings of a candidate on labels alone, one for each of ``family.seeds``."""
    seeds = [training_seed(seed, FIRST_SEED + repeat) for repeat in range(family.seeds)]
    if family.training_seed is not None:
        seeds[0] = family.training_seed
    return [
        FinalJob(
            name=f"{candidate.key}-{repeat}",
            candidate=candidate,
            epochs=family.epochs,
            seed=own_seed,
            precision=family.precision,
        )
        for repeat, own_seed in enumerate(seeds)
    ]


def teachable(candidate: Candidate) -> bool:
    """Whether a candidate's loss may compare it with teachers; that of some adaptations may not."""
    method = str(candidate.adaptation.get("method", "full"))
    return not components.constant(components.ADAPTATIONS, method, "OWN_LOSS")


def with_teachers(
    family: FamilySection, seed: int, candidate: Candidate, teachers: Sequence[FinalJob | str], leader: Candidate
) -> list[FinalJob]:
    """The same, taught by the mean class probabilities of teachers; untaught where it is not ``teachable``.

    Args:
        family: how teaching is done.
        seed: of the run.
        candidate: who is taught.
        teachers: other final trainings, or names of networks from elsewhere.
        leader: whose views of images all pupils see where ``family.stored_targets``.
    """
    if not teachable(candidate):
        return on_labels(family, seed, candidate)
    pupil = with_views_of(leader, candidate) if family.stored_targets else candidate
    return [
        replace(
            job,
            name=f"{pupil.key}-taught-{repeat}",
            teachers=tuple(teachers),
            objective=family.objective,
            top_k=family.top_k if family.stored_targets else None,
            distillation_weight=family.distillation_weight,
            label_weight=family.label_weight,
            temperature=family.temperature,
        )
        for repeat, job in enumerate(on_labels(family, seed, pupil))
    ]


def as_trial(trial: Trial) -> FinalJob:
    """The training that repeats a trial: candidate, schedule and seed are the same, and so is the network."""
    return FinalJob(
        name=f"{trial.candidate.key}-trial-{trial.number}",
        candidate=trial.candidate,
        epochs=trial.epochs,
        seed=trial.seed,
    )


def with_views_of(leader: Candidate, candidate: Candidate) -> Candidate:
    """The candidate with the leader's batch size and batch transforms: what decides which views of images it sees."""

    def decides(address: str) -> bool:
        ingredient = address.partition(".")[0]
        return ingredient == "batch" or components.load(components.INGREDIENTS, ingredient).STAGE is Stage.BATCH

    own = {address: value for address, value in candidate.recipe.items() if not decides(address)}
    views = {address: value for address, value in leader.recipe.items() if decides(address)}
    order = {address: position for position, address in enumerate((*leader.recipe, *candidate.recipe))}
    recipe = dict(sorted({**own, **views}.items(), key=lambda item: order[item[0]]))
    return replace(candidate, recipe=recipe)
