"""From predictions to the family: contenders trained again, one pair a budget, final training with a teacher."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from search.experiment.trials import training_seed
from search.family.members import Family, Member, non_dominated
from search.family.spent import Spent, spent, together
from search.setting.setting import Setting
from spaces import components
from spaces.candidate import Candidate
from trainables.final.jobs import FinalJob, keep_network, network_of
from trainables.final.soup import best_soup
from trainables.plan import Stage
from trainables.training.trial import Report, accuracy


def final_jobs(setting: Setting, candidates: Sequence[Candidate]) -> list[FinalJob]:
    """The final trainings, teachers before their pupils.

    Args:
        setting: of the run; ``family.teachers`` says who teaches.
        candidates: cheapest first.
    """
    family, seed = setting.config.family, setting.config.seed

    def job(candidate: Candidate, repeat: int, teachers: tuple[FinalJob | str, ...]) -> FinalJob:
        return FinalJob(
            name=f"{candidate.key}-{repeat}",
            candidate=candidate,
            epochs=family.epochs,
            seed=training_seed(seed, 1_000_000 + repeat),
            teachers=teachers,
            objective=family.objective,
            top_k=family.top_k if family.stored_targets else None,
            distillation_weight=family.distillation_weight,
            label_weight=family.label_weight,
            temperature=family.temperature,
            precision=family.precision,
        )

    if family.stored_targets:
        candidates = list(dict.fromkeys(with_views_of(candidates[-1], candidate) for candidate in candidates))
    repeats = range(family.seeds)
    if isinstance(family.teachers, list):
        return [job(each, repeat, tuple(family.teachers)) for each in candidates for repeat in repeats]
    split = max(0, len(candidates) - family.teachers)
    teaching = [job(each, repeat, ()) for each in reversed(candidates[split:]) for repeat in repeats]
    # The first training of each teaches, so that whoever is taught does not depend on the number of seeds.
    teachers = tuple(teaching[:: family.seeds])
    return teaching + [job(other, repeat, teachers) for other in candidates[:split] for repeat in repeats]


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


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A member with the final trainings behind it; ``job`` is the one whose network is exported."""

    member: Member
    job: FinalJob
    jobs: tuple[FinalJob, ...]


def finish(setting: Setting, jobs: Sequence[FinalJob], last: dict[str, Report]) -> list[Finished]:
    """The members on the front of search-validation accuracy, named and cheapest first; test accuracy is not read.

    Args:
        setting: of the run.
        jobs: all final trainings.
        last: last report of each, by name.
    """
    by_candidate: dict[str, list[FinalJob]] = {}
    for job in jobs:
        by_candidate.setdefault(job.candidate.key, []).append(job)
    finished = []
    for group in by_candidate.values():
        best = max(group, key=lambda job: last[job.name].accuracy)
        best, reached = _with_soup(setting, best, group, last[best.name].accuracy)
        statistics = setting.statistics(setting.space.encode([best.candidate]))[0]
        member = Member(
            name=best.candidate.key,
            candidate=best.candidate,
            macs=statistics.macs,
            params=statistics.params,
            activations=statistics.activations,
            resolution=statistics.resolution,
            search_accuracy=reached,
            seeds=len(group),
            checkpoint=f"final/{best.name}.pt",
            spent={"final": together(_spent(setting, job, last[job.name]) for job in group)},
        )
        finished.append(Finished(member=member, job=best, jobs=tuple(group)))
    kept = {member.name: position for position, member in enumerate(non_dominated([f.member for f in finished]), 1)}
    named = [
        replace(one, member=replace(one.member, name=f"member-{kept[one.member.name]}"))
        for one in finished
        if one.member.name in kept
    ]
    return sorted(named, key=lambda one: one.member.macs)


def _spent(setting: Setting, job: FinalJob, last: Report) -> Spent:
    return spent(job.candidate, setting.splits, epochs=job.epochs, reached=last.epoch, seconds=last.seconds)


def _with_soup(setting: Setting, best: FinalJob, group: Sequence[FinalJob], alone: float) -> tuple[FinalJob, float]:
    """The soup of a member's trainings, kept as a further final training, if it is better; else the best of them."""
    kind, splits, where = setting.config.family.soup, setting.splits, setting.place.final
    if kind == "none" or len(group) < 2:
        return best, alone

    def judge(network: torch.nn.Module) -> float:
        return accuracy(network, splits.validation)

    networks = [network_of(job, splits, where) for job in group]
    mix, chosen = best_soup(networks, kind, splits.train, judge)
    if len(chosen) == 1:
        return best, alone
    soup = replace(best, name=f"{best.candidate.key}-soup")
    report = Report(epoch=best.epochs, accuracy=judge(mix), loss=math.nan, seconds=0.0)
    keep_network(soup, mix, report, where)
    return soup, report.accuracy


def with_test_accuracy(setting: Setting, finished: Finished) -> Finished:
    """Read the test split: the exported network's accuracy, and its standard deviation over the seeds."""
    splits = setting.splits
    accuracies = {
        job.name: accuracy(network_of(job, splits, setting.place.final), splits.test)
        for job in dict.fromkeys([*finished.jobs, finished.job])
    }
    single = [accuracies[job.name] for job in finished.jobs]
    spread = float(np.std(single, ddof=1)) if len(single) > 1 else None
    member = replace(finished.member, test_accuracy=accuracies[finished.job.name], test_accuracy_std=spread)
    return replace(finished, member=member)


def family_of(finished: Sequence[Finished], digest: str) -> Family:
    """The family of finished members."""
    return Family(members=tuple(one.member for one in finished), study=digest)
