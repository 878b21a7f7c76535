import numpy as np
import pytest

from search.learning import learner as module
from search.learning.learner import Learner
from search.problem.problem import Observations
from search.setting.config import parse
from search.setting.setting import prepare
from spaces.sampling import uniform


def test_a_measurement_is_by_one_fit_to_some_of_many_observations(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = prepare(parse("name: a\nspace: {name: tiny}")).problem
    codes_ND = uniform(problem.space, 60, np.random.default_rng(0))
    observed = Observations(codes_ND=codes_ND, score_N=np.log(problem.costs(codes_ND)["macs"]))
    learner = Learner(problem=problem, name="rank_by_macs", pretrain=0, seed=0)
    fits: list[int] = []
    fitted = Learner.fitted
    monkeypatch.setattr(
        Learner, "fitted", lambda self, part, **how: fits.append(len(part.score_N)) or fitted(self, part, **how)
    )
    assert learner.held_out_tau(observed) == pytest.approx(1.0)
    monkeypatch.setattr(module, "MANY", 60)
    monkeypatch.setattr(module, "KNOWN", 40)
    assert learner.held_out_tau(observed) == learner.held_out_tau(observed) == pytest.approx(1.0)
    assert fits == [45] * 4 + [40] * 2
