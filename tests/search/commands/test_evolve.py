"""``python -m search evolve`` on a study that was recorded without training."""

import json

import numpy as np
import pytest
from rich.console import Console

from search.__main__ import main
from search.console.progress import Progress
from search.experiment.experiment import Experiment, save_config
from search.experiment.running import Silent
from search.experiment.trials import Trials
from search.experiment.warm_start import Earlier, write_earlier
from search.identity.saved import saved
from search.learning.past import Past
from search.problem.feasible import sample_within
from search.record.storage import JOURNAL, open_storage, read_storage
from search.record.study import Study
from search.setting import device
from search.setting.config import parse
from search.setting.device import FILE
from search.setting.setting import prepare
from spaces.candidate import Candidate
from spaces.encoding import encode
from tests.processes import searching
from trainables.counting.times import Latency
from trainables.job import Report

CONFIG = """
name: small
runs: {runs}
data: {{source: digits}}
space: {{name: tiny, restrict: {{architecture.resolution: [8, 12]}}}}
limits: {{max_macs: 1M}}
search: {{trials: {trials}, initial: {trials}, epochs: 2, predictor: gp, pretrain: 0, prior: none}}
family: {{max_macs: [60k, 200k], confidence: 0.5}}
run: {{executor: serial}}
tracking: {{enabled: false}}
"""


def record(folder, trials, ended):
    """A run whose accuracies grow with macs and are best with sgd."""
    config = parse(CONFIG.format(runs=folder, trials=trials))
    setting = prepare(config)
    save_config(config)
    study = Study(name="small", storage=open_storage(config.folder, None), space=setting.space, create=True)
    codes_ND = sample_within(setting.problem, trials, np.random.default_rng(0))
    plan = Trials(setting, study, Silent())
    plan.add(codes_ND, purpose="search", round_=0, stop=lambda _: 2, predicted=[None] * trials)
    sgd = codes_ND[:, setting.space.index["recipe.optimizer.name"]] == 1
    score_N = 0.5 + 0.03 * (np.log(setting.problem.costs(codes_ND)["macs"]) - 10) + 0.1 * sgd
    for number in range(ended):
        reports = tuple(Report(epoch=e, accuracy=float(score_N[number]) * e / 2, loss=1.0, seconds=1.0) for e in (1, 2))
        study.finish(number, reports)
    return config.folder


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return record(tmp_path_factory.mktemp("runs"), trials=24, ended=24)


def evolved(run_folder, tmp_path, *arguments):
    out = tmp_path / "out.json"
    assert main(["evolve", str(run_folder), "--out", str(out), *arguments]) == 0
    return json.loads(out.read_text())


def test_new_limits(run_folder, tmp_path, capsys):
    entries = evolved(run_folder, tmp_path, "--max-macs", "50k,100k,400k", "--max-params", "60k")
    assert [entry["budget"]["max_macs"] for entry in entries] == [50e3, 100e3, 400e3]
    setting = prepare(parse((run_folder / "config.yaml").read_text()))
    for entry in entries:
        codes_ND = setting.space.encode([Candidate.from_dict(entry["candidate"])])
        assert {n: float(c[0]) for n, c in setting.problem.costs(codes_ND).items()} == entry["statistics"]
        assert entry["statistics"]["macs"] <= entry["budget"]["max_macs"]
        assert entry["statistics"]["params"] <= 60e3
        assert entry["predicted"]["std"] > 0
        assert 0 <= entry["nearest_trial"]["number"] < 24
    means = [entry["predicted"]["mean"] for entry in entries]
    assert means == sorted(means)
    assert entries[-1]["candidate"]["recipe"]["optimizer.name"] == "sgd"
    shown = capsys.readouterr().out
    assert "pairs for small" in shown
    assert "24 trials; predictor 'gp'" in shown


def test_a_fixed_dimension_and_several_pairs(run_folder, tmp_path):
    entries = evolved(run_folder, tmp_path, "--fix", "recipe.optimizer=adamw", "--per-budget", "2", "--confidence", "1")
    assert [entry["budget"]["max_macs"] for entry in entries] == [60e3, 60e3, 200e3, 200e3]  # the run's own budgets
    assert {entry["candidate"]["recipe"]["optimizer.name"] for entry in entries} == {"adamw"}
    assert len({entry["key"] for entry in entries[:2]}) == 2
    assert "minus 1 standard deviations" in entries[0]["why"]


def test_a_front_climbs_in_cost_and_score(run_folder, tmp_path):
    entries = evolved(run_folder, tmp_path, "--objective", "pareto", "--max-macs", "300k", "--points", "6")
    macs = [entry["statistics"]["macs"] for entry in entries]
    scores = [entry["predicted"]["mean"] - 0.5 * entry["predicted"]["std"] for entry in entries]
    assert 2 <= len(entries) <= 6
    assert macs == sorted(set(macs))
    assert scores == sorted(set(scores))
    assert macs[-1] <= 300e3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max-macs", "1"], "max_macs is 1, the smallest found (by descents, not proven) is"),
        (["--max-macs", "2M"], "above the run's own limit of 1e+06"),
        (["--max-macs", "many"], "takes positive numbers such as 20M,40M, given 'many'"),
        (["--max-macs", "50k,80k,90k", "--max-params", "50k,60k"], "has 2 values; it needs 1 or 3"),
        (["--max-latency-ms", "5", "--latency-file", "none.json"], "'none.json' does not give a device's latencies"),
        (["--fix", "recipe.optimizer.name=lion"], "allows rmsprop, sgd, adamw"),
        (["--objective", "pareto", "--points", "1"], "--points must be at least 2"),
        (["--points", "5"], "--points divides a front: add --objective pareto"),
        (["--out", "."], "--out '.' is a folder; name a file"),
        (["--per-budget", "0"], "per_budget must be at least 1"),
        (["--confidence", "-1"], "confidence must be finite and at least 0"),
        (["--out", "/nowhere/at/all.json"], "cannot write '/nowhere/at/all.json'"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(run_folder, arguments, message, capsys):
    assert main(["evolve", str(run_folder), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert not (run_folder / "candidates.json").exists()


def test_a_folder_without_a_run_and_a_run_with_too_few_trials(tmp_path, capsys):
    assert main(["evolve", str(tmp_path)]) == 2
    assert "holds no run" in capsys.readouterr().err
    folder = record(tmp_path, trials=6, ended=3)
    assert main(["evolve", str(folder)]) == 2
    assert "has 3 ended trials; evolve needs at least 4" in capsys.readouterr().err


@pytest.mark.slow
def test_the_same_command_writes_the_same_file_in_another_process(run_folder, tmp_path):
    entries = evolved(run_folder, tmp_path, "--max-macs", "90k")
    again = ("evolve", run_folder, "--max-macs", "90k", "--out", tmp_path / "again.json")
    with searching(tmp_path, *again) as other:
        assert other.code == 0, other.error.read_text()
    assert json.loads((tmp_path / "again.json").read_text()) == entries


@pytest.fixture
def machine(monkeypatch):
    """A machine whose networks take a time for each parameter."""

    def measured(network, **how):
        params = sum(weight.numel() for weight in network.parameters())
        return Latency(median_ms=1 + params / 1e4, spread_ms=0.0, runtime="torch", threads=1, batch=1, repeats=1)

    monkeypatch.setattr(device, "measure", measured)
    monkeypatch.setattr(device, "MEASURED", 24)


@pytest.mark.slow
def test_a_family_within_latency_budgets(tmp_path, machine, capsys):
    folder = record(tmp_path, trials=12, ended=12)
    entries = evolved(folder, tmp_path, "--max-latency-ms", "2.5,4,7", "--max-macs", "800k")
    assert [entry["budget"]["max_latency_ms"] for entry in entries] == [2.5, 4, 7]
    for entry in entries:
        assert entry["statistics"]["latency_ms"] <= entry["budget"]["max_latency_ms"]
        assert entry["statistics"]["macs"] <= 800e3
        assert entry["statistics"]["latency_ms"] == pytest.approx(1 + entry["statistics"]["params"] / 1e4, rel=0.2)
        assert 0 <= entry["latency_is_predicted_for"]["relative_error"] < 0.1
    shown = capsys.readouterr().out
    assert "latency_ms is predicted, for" in shown
    assert "median error" in shown
    # The same from the file alone, as for another device.
    other = record(tmp_path / "other", trials=12, ended=12)
    again = evolved(
        other, tmp_path, "--max-latency-ms", "2.5,4,7", "--max-macs", "800k", "--latency-file", str(folder / FILE)
    )
    assert [entry["key"] for entry in again] == [entry["key"] for entry in entries]
    assert not (other / FILE).exists()


@pytest.mark.nightly
def test_a_front_along_latency(tmp_path, machine):
    folder = record(tmp_path, trials=12, ended=12)
    entries = evolved(folder, tmp_path, "--objective", "pareto", "--max-latency-ms", "6", "--points", "4")
    latencies = [entry["statistics"]["latency_ms"] for entry in entries]
    assert len(entries) >= 2
    assert latencies == sorted(latencies)
    assert latencies[-1] <= 6


def test_a_run_that_goes_on_is_read_without_being_touched(tmp_path):
    folder = record(tmp_path, trials=8, ended=8)
    journal = folder / JOURNAL
    with journal.open("ab") as file:
        file.write(b'{"op_code": 5, "wor')  # the run is writing this line
    before = journal.read_bytes()
    assert len(evolved(folder, tmp_path, "--max-macs", "100k")) == 1
    assert journal.read_bytes() == before
    study = Study(name="small", storage=read_storage(folder, None), space=prepare(saved(folder)).space, create=False)
    assert len(study.trials()) == 8
    with pytest.raises(PermissionError, match="opened for reading"):
        study.note("key", 1)
    assert journal.read_bytes() == before


def test_a_run_with_a_warm_start_is_asked_with_the_predictor_that_starts_from_it(tmp_path, capsys):
    folder = record(tmp_path, trials=6, ended=6)
    setting = prepare(saved(folder))
    space = setting.space
    codes_ND = sample_within(setting.problem, 60, np.random.default_rng(5))
    adamw_N = codes_ND[:, space.index["recipe.optimizer.name"]] == 2
    params = tuple(space.addressed(candidate) for candidate in space.decode(codes_ND))
    earlier = Earlier(source="runs/old", trials=60, params=params, scores=tuple((0.3 + 0.5 * adamw_N).tolist()))
    write_earlier(folder, [earlier])
    entries = evolved(folder, tmp_path, "--max-macs", "100k,300k")
    assert "6 trials; predictor 'transfer' from 1 earlier run fitted" in capsys.readouterr().out

    # the same predictor as the sampler's, in the unit of the scores; and the run's own stage 2 has it too
    study = Study(name="small", storage=read_storage(folder, None), space=space, create=False)
    observed = Trials(setting, study, Silent()).observations([r for r in study.trials() if r.is_finished])
    past = Past(setting.problem, [earlier.observations(space)], setting.config.seed).fit(observed, unit="score")
    picked_ND = space.encode([Candidate.from_dict(entry["candidate"]) for entry in entries])
    columns = encode(space, picked_ND), setting.problem.statistics(picked_ND)
    means = [entry["predicted"]["mean"] for entry in entries]
    assert past.predict(*columns).mean_N == pytest.approx(means)
    study = Study(name="small", storage=open_storage(folder, None), space=space, create=False)
    experiment = Experiment(setting, study, Progress(setting.problem.budgets, Console()))
    assert experiment._learner.learn(observed).predict(*columns).mean_N == pytest.approx(means)
    assert experiment._learner.fitted(observed).predict(*columns).mean_N != pytest.approx(means)
