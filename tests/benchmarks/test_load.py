"""What a study of 5,000 finished trials costs: opening it, an ask of eight, the watched figure, the report; and memory.

One core, space ``tiny``, eight budgets. Processor seconds and the peak of resident memory of a process of its own for
each step, without what its imports take, beside plain Optuna in the same run.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState, create_trial

from search.record.distributions import distribution
from search.setting.config import parse
from search.setting.setting import Setting, prepare
from spaces.sampling import uniform
from tests.places import ROOT
from trainables.counting.statistics import count

TRIALS = 5000
OF_PAGE = 1000
"""Trials of the report whose size is measured."""
EPOCHS = 4
NAME = "load"

CONFIG = """
name: load
data: {source: digits}
space: {name: tiny, restrict: {architecture.resolution: [8]}}
limits: {max_macs: 600k}
search: {trials: 5000, epochs: 4, prior: none}
family: {max_macs: [4k, 6k, 10k, 16k, 28k, 50k, 150k, 500k]}
"""

STEP = """
import json, sys, time
from pathlib import Path
import numpy as np
import optuna
optuna.logging.set_verbosity(optuna.logging.WARNING)
folder = Path(sys.argv[1])
{imports}
def peak_mb():  # not getrusage's, which a process has from the one that started it
    (line,) = [line for line in open('/proc/self/status') if line.startswith('VmHWM')]
    return int(line.split()[1]) / 1024
before_mb, began = peak_mb(), time.process_time()
{body}
print(json.dumps({{"seconds": time.process_time() - began, "peak_mb": peak_mb(), "before_mb": before_mb}}))
"""

OPEN = (
    """
from search.record.storage import open_storage
from search.record.study import Study
from tests.benchmarks.test_load import setting
space = setting().space
""",
    "Study(name='load', storage=open_storage(folder, None), space=space, create=False).trials()",
)
OPEN_OPTUNA = (
    """
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
""",
    "storage = JournalStorage(JournalFileBackend(str(folder / 'study.journal')))\n"
    "optuna.load_study(study_name='load', storage=storage).get_trials(deepcopy=False)",
)
OBSERVED = """
from search.problem.problem import Observations
from tests.benchmarks.test_load import setting
stored = np.load(folder / 'observed.npz')
observed = Observations(codes_ND=stored['codes_ND'], score_N=stored['score_N'])
problem = setting().problem
"""
ASK = (
    OBSERVED + "from search.samplers.by_name import build\nfrom search.samplers.protocol import Offer\n",
    "build(sys.argv[2], Offer(problem=problem, seed=0)).propose(observed, observed.codes_ND[:0], 8)",
)
WATCHED = (
    OBSERVED + "from search.learning.learner import Learner\n"
    "import torch._dynamo  # which the first optimizer of a process imports\nimport predictors.mlp\n",
    "learner = Learner(problem=problem, name=sys.argv[2], pretrain=5000, seed=0)\n"
    "learner.held_out_tau(observed), learner.held_out_tau(observed, pretrained=False)",
)
REPORT = (
    """
from search.family.members import Family
from search.record.storage import open_storage
from search.record.study import Study
from search.report.gather import gather
from search.report.page import write_report
from tests.benchmarks.test_load import setting
where = setting()
""",
    "study = Study(name='load', storage=open_storage(folder, None), space=None, create=False)\n"
    "page = folder / 'report.html'\n"
    "write_report(gather(where, study, Family(members=()), folder, page), page)",
)


def setting() -> Setting:
    """The search of ``tiny`` for eight budgets."""
    return prepare(parse(CONFIG))


def write_study(folder: Path, trials: int) -> None:
    """A journal as a run writes it, and the same as arrays."""
    space, rng = setting().space, np.random.default_rng(0)
    codes_ND = uniform(space, trials, rng)
    counts = count(space, codes_ND, classes=10, channels=1)
    score_N = np.clip(0.08 * np.log(counts.macs_N) - 0.2 + rng.normal(0, 0.02, trials), 0.05, 0.99)
    np.savez(folder / "observed.npz", codes_ND=codes_ND, score_N=score_N)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    study = optuna.create_study(study_name=NAME, storage=storage, direction="maximize")
    ranges = dict(zip(space.addresses, map(distribution, space.dimensions), strict=True))
    for number, candidate in enumerate(space.decode(codes_ND)):
        params = space.addressed(candidate)
        curve = [[epoch, float(score_N[number]) * epoch / EPOCHS, 1.0, 0.5] for epoch in range(1, EPOCHS + 1)]
        attributes = {
            "purpose": "search",
            "round": number // 8,
            "candidate": candidate.to_dict(),
            "statistics": asdict(counts[number]),
            "epochs": EPOCHS,
            "stop": EPOCHS,
            "seed": number,
            "predicted": [float(score_N[number]) + 0.01, 0.02],
            "curve": curve,
        }
        study.add_trial(
            create_trial(
                state=TrialState.COMPLETE,
                value=float(score_N[number]),
                params=params,
                distributions={address: ranges[address] for address in params},
                user_attrs=attributes,
            )
        )


def measured(step: tuple[str, str], folder: Path, *arguments: str) -> Mapping[str, float]:
    """What a step takes in a process of its own."""
    imports, body = step
    done = subprocess.run(
        [sys.executable, "-c", STEP.format(imports=imports, body=body), str(folder), *arguments],
        cwd=ROOT,
        env={"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HOME": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


STEPS = {
    "open": (OPEN, ()),
    "open, plain Optuna": (OPEN_OPTUNA, ()),
    "ask of eight, nars": (ASK, ("nars",)),
    "ask of eight, tpe": (ASK, ("tpe",)),
    "watched figure, mlp": (WATCHED, ("mlp",)),
    "report": (REPORT, ()),
}
COMPARED = (("open", "open, plain Optuna"), ("ask of eight, nars", "ask of eight, tpe"))


@pytest.mark.benchmark
def test_five_thousand_trials(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_study(tmp_path, TRIALS)
    of_step = {name: measured(step, tmp_path, *arguments) for name, (step, arguments) in STEPS.items()}
    small = tmp_path / "small"
    small.mkdir()
    write_study(small, OF_PAGE)
    measured(REPORT, small)
    with capsys.disabled():
        print()
        for name, figures in of_step.items():
            print(
                "{}: {seconds:.2f} processor s, peak {peak_mb:.0f} MB ({before_mb:.0f} before)".format(name, **figures)
            )
        for ours, theirs in COMPARED:
            print(f"{ours} / {theirs}: {of_step[ours]['seconds'] / of_step[theirs]['seconds']:.2f}")
        for trials, folder in ((TRIALS, tmp_path), (OF_PAGE, small)):
            megabytes = (folder / "report.html").stat().st_size / 1e6
            print(f"report of {trials:,} trials: {megabytes:.2f} MB")
