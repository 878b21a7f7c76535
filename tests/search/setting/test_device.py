"""Latency as a limit: a device's file, and searches within predicted latency."""

import json

import numpy as np
import pytest

from search.__main__ import main
from search.files import write_if_absent
from search.setting import device
from search.setting.config import ConfigError, parse
from search.setting.device import FILE, device_of, load_device
from search.setting.setting import prepare
from spaces.sampling import uniform
from spaces.space import Space
from trainables.counting.statistics import count
from trainables.counting.times import Latency

CONFIG = """
name: late
runs: {runs}
data: {{source: digits}}
space: {{name: tiny, restrict: {{architecture.resolution: [8, 12]}}}}
limits: {limits}
family: {{max_macs: [60k, 200k]}}
run: {{executor: serial}}
"""


class Clock:
    """A made-up machine: a fixed time, and one for every parameter; ``calls`` counts what was measured."""

    calls = 0
    load = 1.0
    noise = None

    def __call__(self, network, **how):
        self.calls += 1
        noise = 1.0 if self.noise is None else float(np.exp(self.noise.normal(0, 0.5)))
        params = sum(weight.numel() for weight in network.parameters())
        return Latency(
            median_ms=noise * self.load * (1 + params / 1e4),
            spread_ms=0.0,
            runtime="torch",
            threads=1,
            batch=1,
            repeats=1,
        )


@pytest.fixture
def clock(monkeypatch):
    made_up = Clock()
    monkeypatch.setattr(device, "measure", made_up)
    monkeypatch.setattr(device, "MEASURED", 24)
    return made_up


def setting(folder, limits):
    return prepare(parse(CONFIG.format(runs=folder, limits=limits)))


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """The folder of a run that has measured, and its setting."""
    folder = tmp_path_factory.mktemp("once")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "measure", Clock())
        patch.setattr(device, "MEASURED", 24)
        limited = setting(folder, "{max_latency_ms: 3}")
    return folder / "late", limited


def test_predicted_latency_is_a_hard_limit_like_the_others(tmp_path, clock):
    problem = setting(tmp_path, "{max_macs: 1M, max_latency_ms: 2.5}").problem
    codes_ND = uniform(problem.space, 500, np.random.default_rng(0))
    costs = problem.costs(codes_ND)
    assert clock.calls == 24
    assert np.median(np.abs(costs["latency_ms"] / (1 + costs["params"] / 1e4) - 1)) < 0.05
    assert {budget.max_latency_ms for budget in problem.budgets} == {2.5}
    allowed_N = problem.feasible(codes_ND)
    assert 0 < allowed_N.sum() < 500
    assert (costs["latency_ms"][allowed_N] <= 2.5).all()
    assert (costs["latency_ms"][~allowed_N & (costs["macs"] <= 1e6)] > 2.5).all()


def test_a_resumed_run_uses_what_was_measured_first(tmp_path, clock):
    first = setting(tmp_path, "{max_latency_ms: 3}")
    codes_ND = uniform(first.space, 200, np.random.default_rng(0))
    clock.load = 7.0
    again = setting(tmp_path, "{max_latency_ms: 3}")
    assert clock.calls == 24
    np.testing.assert_array_equal(
        again.problem.costs(codes_ND)["latency_ms"], first.problem.costs(codes_ND)["latency_ms"]
    )


def test_of_two_that_measure_at_once_the_first_file_stays(tmp_path):
    write_if_absent(tmp_path / FILE, "first")
    write_if_absent(tmp_path / FILE, "second")
    assert (tmp_path / FILE).read_text() == "first"
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_another_devices_file_is_kept_with_the_run(tmp_path, clock, once):
    content = json.loads((once[0] / FILE).read_text())
    content |= {"device": "a phone", "theta": None}
    phone = tmp_path / "phone.json"
    phone.write_text(json.dumps(content))
    here = setting(tmp_path / "here", f"{{max_latency_ms: 3, latency_file: {phone}}}")
    assert clock.calls == 0
    assert here.device.name == "a phone"
    phone.unlink()
    assert setting(tmp_path / "here", f"{{max_latency_ms: 3, latency_file: {phone}}}").device.name == "a phone"
    codes_ND = uniform(once[1].space, 50, np.random.default_rng(0))
    np.testing.assert_allclose(
        here.problem.costs(codes_ND)["latency_ms"], once[1].problem.costs(codes_ND)["latency_ms"], rtol=1e-9
    )


@pytest.mark.nightly
def test_the_error_is_that_of_candidates_held_out(tmp_path, clock):
    clock.noise = np.random.default_rng(0)  # what no model can predict must show in the error
    limited = setting(tmp_path, "{max_latency_ms: 3}")
    content = json.loads((tmp_path / "late" / FILE).read_text())
    errors = []
    for fold in range(4):
        others = [row for number, row in enumerate(content["measured"]) if number % 4 != fold]
        path = tmp_path / "others.json"
        path.write_text(json.dumps({"format": 1, "device": "others", "measured": others}))
        model = load_device(path, limited.space, limited.splits).model
        for one in content["measured"][fold::4]:
            codes_1D = limited.space.encode([device.Candidate.from_dict(one["candidate"])])
            predicted = model.predict(codes_1D, count(limited.space, codes_1D, classes=10, channels=1))[0]
            errors.append(abs(predicted / one["latency_ms"] - 1))
    assert limited.device.relative_error == pytest.approx(np.median(errors), rel=1e-3)
    assert limited.device.relative_error > 0.1
    assert f"{limited.device.relative_error:.1%}" in limited.device.describe()
    assert "predicted" in limited.device.describe()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("measured"), "it lacks 'measured'"),
        (lambda content: content.update(format=9), "must be an object with format 1"),
        (lambda content: content.update(measured=content["measured"][:3]), "at least eight rows"),
        (lambda content: content.update(theta=[0.0]), "theta has 1 values"),
        (lambda content: content["measured"][0].update(latency_ms=-1), "positive, finite"),
    ],
)
def test_a_file_that_describes_no_device_is_refused(tmp_path, once, change, message):
    folder, limited = once
    content = json.loads((folder / FILE).read_text())
    change(content)
    (tmp_path / FILE).write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=message):
        device_of(tmp_path, limited.space, limited.splits, None)


def test_files_that_do_not_exist_and_other_spaces_are_refused(tmp_path, once):
    with pytest.raises(ConfigError, match="does not exist"):
        setting(tmp_path, "{max_latency_ms: 3, latency_file: nowhere.json}")
    folder, limited = once
    smaller: Space = limited.space.restrict({"architecture.resolution": [8]})
    with pytest.raises(ConfigError, match="in this space"):
        load_device(folder / FILE, smaller, limited.splits)


def test_a_limit_below_the_space_is_refused(tmp_path, clock, capsys):
    with pytest.raises(ConfigError, match=r"max_latency_ms is 0\.5, but the smallest latency_ms"):
        setting(tmp_path, "{max_latency_ms: 0.5}")
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(runs=tmp_path, limits="{max_latency_ms: 3}"))
    assert main(["check", str(path)]) == 0
    assert "no mistakes found" in capsys.readouterr().out
