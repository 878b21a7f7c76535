"""Evaluations run on networks, one after the other, and their figures kept beside each."""

from collections.abc import Callable, Sequence
from pathlib import Path

from search.evaluation.results import write_assessment
from search.evaluation.subjects import Subject
from spaces import components
from trainables.assess import Assessment
from trainables.splits import Splits

OnAssessed = Callable[[int, Subject, str, Assessment, list[Path]], None]
"""Called with the number of the network from 1, the network, the evaluation, what it said, and the files of that."""


def run_evaluations(
    networks: Sequence[Subject], splits: Splits, names: Sequence[str], seed: int, on_assessed: OnAssessed
) -> None:
    """Judge every network by every evaluation.

    Args:
        networks: cheapest first.
        splits: their data, with the fields that the evaluations need.
        names: of the evaluations.
        seed: of whatever an evaluation draws.
        on_assessed: called after each.
    """
    for number, subject in enumerate(networks, start=1):
        network = subject.load()
        for name in names:
            assessment: Assessment = components.load(components.EVALUATIONS, name).assess(network, splits, seed=seed)
            on_assessed(number, subject, name, assessment, write_assessment(subject.folder, name, assessment))
