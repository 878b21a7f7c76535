"""Handing a family over: the test split is read, and every network of the front is exported and described."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.family.card import Provenance
from search.family.comparison import Examined, compare
from search.family.export import export_member
from search.family.folder import InputSpec
from search.family.members import BudgetRow, Family, Member
from search.family.references import TrainedReference
from search.family.retrain import write_training
from search.family.spent import Spent
from search.setting.beginning import Named
from search.setting.setting import Setting
from search.setting.weights import words_of_start
from trainables.counting.counts import Statistics
from trainables.counting.times import Latency
from trainables.deploy import Deployable
from trainables.final.jobs import FinalJob, network_of
from trainables.final.texts_folder import write_texts
from trainables.language.texts import Texts
from trainables.training.features import scores


@dataclass(frozen=True, kw_only=True)
class Finalist:
    """A network that is to be handed over.

    Attributes:
        job: whose network it is: the best of its trainings, or their soup.
        trainings: that were made of it.
        statistics: its exact costs.
        search_accuracy: on search-validation, in [0, 1].
        spent: what ``search`` and ``final`` took; see ``Member``.
    """

    job: FinalJob
    trainings: tuple[FinalJob, ...]
    statistics: Statistics
    search_accuracy: float
    spent: Mapping[str, Spent]


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What the trainings of a network answer on the test split.

    Attributes:
        right_N: whether the network that counts is right, for each image.
        accuracies: of its trainings.
    """

    right_N: NDArray[np.bool_]
    accuracies: tuple[float, ...]

    @property
    def accuracy(self) -> float:
        """Of the network that counts."""
        return float(self.right_N.mean())

    @property
    def std(self) -> float | None:
        """Sample standard deviation over the trainings; None below two."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else None


class Examiner:
    """Reads the test split with the networks of final trainings, once with each: a member may be a reference, too."""

    def __init__(self, setting: Setting) -> None:
        self._splits, self._place = setting.splits, setting.place
        self._right: dict[str, NDArray[np.bool_]] = {}

    def answers(self, finalist: Finalist) -> Answers:
        """Of the trainings of a network."""
        return Answers(
            right_N=self._right_N(finalist.job),
            accuracies=tuple(float(self._right_N(job).mean()) for job in finalist.trainings),
        )

    def _right_N(self, job: FinalJob) -> NDArray[np.bool_]:
        if job.name not in self._right:
            network, test = network_of(job, self._splits, self._place.final), self._splits.test
            self._right[job.name] = np.asarray(scores(network, test).argmax(1).numpy() == test.label_N)
        return self._right[job.name]


def hand_over(
    setting: Setting,
    finalists: Sequence[Finalist],
    folder: Path,
    examiner: Examiner,
    on_export: Callable[[Member], None],
    references: Sequence[Examined] = (),
    budgets: Sequence[BudgetRow] = (),
) -> tuple[Member, ...]:
    """Export networks as ``member-1``, ``member-2``, ... below a folder, each of which appears whole.

    Args:
        setting: of the run.
        finalists: cheapest first.
        folder: of the family.
        examiner: of the run's test split.
        on_export: called with each member once its folder is there.
        references: that members are compared with.
        budgets: which member is whose; it is compared with the reference of the largest.
    """
    served = {row.member: row.max_macs for row in budgets if row.member is not None}  # the last is the largest
    members = []
    for position, finalist in enumerate(finalists):
        name = member_name(position)
        members.append(_export(setting, name, finalist, folder / name, examiner, references, served.get(name)))
        on_export(members[-1])
    return tuple(members)


def member_name(position: int) -> str:
    """Name of the member at a position, from 0, in the order of costs."""
    return f"member-{position + 1}"


def save_family(family: Family, folder: Path) -> None:
    """Write the tables of a family beside its members, and remove members that a larger one left there before."""
    family.save(folder)
    names = {member.name for member in family.members}
    for surplus in folder.glob("member-*"):
        if surplus.name not in names:
            shutil.rmtree(surplus)


def _export(
    setting: Setting,
    name: str,
    finalist: Finalist,
    folder: Path,
    examiner: Examiner,
    references: Sequence[Examined],
    budget: float | None,
) -> Member:
    splits, job = setting.splits, finalist.job
    network = network_of(job, splits, setting.place.final)
    spec = InputSpec(preprocessing=network.preprocessing(splits.decoding), classes=splits.classes)
    return export_member(
        network.network,
        job.candidate,
        spec,
        folder,
        partial(member_of, setting, name, finalist, examiner=examiner, references=references, budget=budget),
        _provenance(setting, finalist),
        partial(_complete, setting, job, network, spec),
    )


def _complete(setting: Setting, job: FinalJob, network: Deployable, spec: InputSpec, folder: Path) -> None:
    """What training a member again needs, and what it was pretrained with to read texts."""
    write_training(setting, job, folder)
    if isinstance(network.texts, Texts):
        own = Deployable.of(network.network, spec.preprocessing).eval()
        write_texts(own, network.texts, spec.preprocessing.shape, folder)


def examined(name: str, finalist: Finalist, answers: Answers) -> Examined:
    """A network as it is compared."""
    return Examined(
        name=name,
        pair=finalist.job.candidate.key,
        macs=finalist.statistics.macs,
        right_N=answers.right_N,
        search_accuracy=finalist.search_accuracy,
        std=answers.std,
        seeds=len(finalist.trainings),
    )


def examined_references(
    examiner: Examiner, named: Sequence[Named], finalists: Sequence[Finalist]
) -> tuple[list[TrainedReference], list[Examined]]:
    """Trained references, cheapest first, and what members are compared with; the test split is read.

    Args:
        examiner: of the run's test split.
        named: every reference.
        finalists: the networks of those that were trained.
    """
    by_candidate = {finalist.job.candidate: finalist for finalist in finalists}
    trained, known = [], []
    for one in named:
        finalist = by_candidate.get(one.candidate)
        if finalist is not None:
            answers = examiner.answers(finalist)
            trained.append(_reference(one, finalist, answers))
            known.append(examined(one.name, finalist, answers))
    return sorted(trained, key=lambda reference: reference.macs), known


def _reference(named: Named, finalist: Finalist, answers: Answers) -> TrainedReference:
    return TrainedReference(
        name=named.name,
        family=named.family,
        candidate=named.candidate,
        macs=finalist.statistics.macs,
        params=finalist.statistics.params,
        activations=finalist.statistics.activations,
        search_accuracy=finalist.search_accuracy,
        test_accuracy=answers.accuracy,
        test_accuracy_std=answers.std,
        seeds=len(finalist.trainings),
    )


def member_of(
    setting: Setting,
    name: str,
    finalist: Finalist,
    latency: Latency | None = None,
    *,
    examiner: Examiner | None = None,
    references: Sequence[Examined] = (),
    budget: float | None = None,
) -> Member:
    """The member that a network becomes, with its accuracy on the test split and that accuracy's spread over seeds."""
    job, statistics, answers = finalist.job, finalist.statistics, (examiner or Examiner(setting)).answers(finalist)
    return Member(
        name=name,
        candidate=job.candidate,
        macs=statistics.macs,
        params=statistics.params,
        activations=statistics.activations,
        resolution=statistics.resolution,
        search_accuracy=finalist.search_accuracy,
        test_accuracy=answers.accuracy,
        test_accuracy_std=answers.std,
        seeds=len(finalist.trainings),
        latency_ms=None if latency is None else round(latency.median_ms, 5),
        latency_spread_ms=None if latency is None else round(latency.spread_ms, 5),
        checkpoint=f"final/{job.name}.pt",
        spent=finalist.spent,
        compared=compare(
            examined(name, finalist, answers), references, budget or _tightest_budget(setting, statistics.macs)
        ),
    )


def _tightest_budget(setting: Setting, macs: int) -> float | None:
    """Macs of the tightest budget that a network fits."""
    budgets = [limits.max_macs for limits in setting.problem.budgets if limits.max_macs is not None]
    return min((budget for budget in budgets if macs <= budget), default=None)


def _provenance(setting: Setting, finalist: Finalist) -> Provenance:
    splits, job = setting.splits, finalist.job
    teachers = [teacher if isinstance(teacher, str) else teacher.candidate.key for teacher in job.teachers]
    return Provenance(
        run=setting.config.name,
        data=setting.config.data.source,
        license=setting.config.family.license,
        images={"train": len(splits.train), "search-validation": len(splits.validation), "test": len(splits.test)},
        training={
            "epochs": job.epochs,
            "seed": job.seed,
            "begun with": words_of_start(job.candidate, splits),
            "weights": "a soup of its trainings" if job not in finalist.trainings else "of one training",
            "teachers": ", ".join(teachers) or "none",
            "distillation weight": job.distillation_weight if teachers else 0,
            "label weight": job.label_weight if teachers else 1,
        },
    )
