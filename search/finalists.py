"""From predictions to the family: contenders trained again, one pair a budget, final training with a teacher."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from search.archive import first_of_each
from search.choose import one_per_budget, posterior
from search.evolve import evolve
from search.family import Family, Member, non_dominated
from search.problem import Observations
from search.quality import Learner
from search.setting import Setting
from search.spent import Spent, spent, together
from search.stage1 import Trials, training_seed
from search.study import Job
from spaces import components
from spaces.candidate import Candidate
from spaces.encoding import encode
from spaces.space import Codes
from trainables.family import FinalJob, keep_network, network_of
from trainables.plan import Stage
from trainables.soup import best_soup
from trainables.trial import Report, accuracy


def bands(setting: Setting, codes_ND: Codes) -> NDArray[np.int64]:
    """The tightest budget that each candidate fits, shape (N,): its position, or the number of budgets for none."""
    beyond_N: NDArray[np.int64] = (~setting.problem.affordable(codes_ND)).sum(axis=0)
    return beyond_N


def contenders(setting: Setting, learner: Learner, observed: Observations) -> Codes:
    """The pairs that may become members: the predictor's picks for each budget, and trained ones; shape (M, D).

    A budget's best pair may be so small that it wins the next budget too. The best trained pair that needs each budget
    is a contender as well, so that the family has a member for every budget.
    """
    config, problem = setting.config, setting.problem
    model = learner.learn(observed)
    best_first = np.argsort(-observed.score_N, kind="stable")
    picks = evolve(
        problem,
        model,
        budgets=problem.budgets,
        start_ND=observed.codes_ND[best_first[:64]],
        rng=np.random.default_rng([config.seed, 3]),
        confidence=config.family.confidence,
        per_budget=config.family.contenders,
    )
    believed_N = model.predict(encode(setting.space, observed.codes_ND), problem.statistics(observed.codes_ND)).mean_N
    band_N = bands(setting, observed.codes_ND)
    trained = [
        max(np.flatnonzero(band_N == band), key=lambda row: float(believed_N[row]))
        for band in range(len(problem.budgets))
        if (band_N == band).any()
    ]
    codes_MD = np.stack([*(pick.codes for pick in picks), *observed.codes_ND[trained]])
    return codes_MD[first_of_each(codes_MD)]


class Repeats:
    """Trains the contenders again with fresh seeds, so that no choice rests on one lucky run (the winner's curse)."""

    def __init__(self, trials: Trials, codes_MD: Codes) -> None:
        self._trials, self._codes = trials, np.repeat(codes_MD, trials.setting.config.family.repeats, axis=0)

    @property
    def total(self) -> int:
        return len(self._codes)

    def next_job(self) -> Job | None:
        """The next repeat; those that an earlier attempt recorded are not recorded again."""
        recorded = len(self._trials.of("repeat"))
        if recorded < self.total:
            search = self._trials.of("search")
            decisive, round_ = self._trials.decisive_epoch(search), search[-1].round + 1
            missing = self._codes[recorded:]
            self._trials.add(
                missing, purpose="repeat", round_=round_, stop=lambda _: decisive, predicted=[None] * len(missing)
            )
        return self._trials.next_waiting()


def choose(trials: Trials, learner: Learner, observed: Observations, codes_MD: Codes) -> list[Candidate]:
    """One contender for each budget, cheapest first: the best posterior among those that need the budget.

    Where none needs it, the best that fits and is not chosen yet. The prediction knows the trials of stage 1; the fresh
    runs are weighed against it (``search.choose``).
    """
    setting = trials.setting
    belief = learner.learn(observed).predict(encode(setting.space, codes_MD), setting.problem.statistics(codes_MD))
    candidates = setting.space.decode(codes_MD)
    fresh = _fresh_scores(trials)
    mean_M, std_M = posterior(belief, [fresh.get(candidate.key, []) for candidate in candidates])
    value_M = mean_M - setting.config.family.confidence * std_M
    band_M, macs_M = bands(setting, codes_MD), setting.problem.costs(codes_MD)["macs"]
    chosen = one_per_budget(value_M, band_M, len(setting.problem.budgets))
    return [candidates[row] for row in sorted(chosen, key=lambda row: int(macs_M[row]))]


def _fresh_scores(trials: Trials) -> dict[str, list[float]]:
    """Accuracies of the repeats of each contender at the decisive epoch, by the candidate's key."""
    decisive = trials.decisive_epoch(trials.of("search"))
    fresh: dict[str, list[float]] = {}
    for record in trials.of("repeat"):
        score = record.accuracy_at(decisive) if record.message is None else None
        if score is not None:
            fresh.setdefault(record.candidate.key, []).append(score)
    return fresh


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
