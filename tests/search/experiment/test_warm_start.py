"""Earlier runs as a prior: what is translated, what is kept, what is refused."""

from pathlib import Path

import numpy as np
import pytest

from search.errors import UsageError
from search.experiment.warm_start import check_unchanged, gather, read_earlier, write_earlier
from search.record.storage import NoStudy, open_storage
from search.record.study import Study
from search.samplers.nars import Sampler
from search.setting.config import Config
from search.setting.sections.search import SearchSection
from spaces import fbnetv3, tiny
from spaces.space import Space
from tests.search.record.waiting import waiting
from tests.search.toy import offer, some
from trainables.job import Report

NARS = SearchSection(sampler="nars")


def earlier_run(folder: Path, trials: int = 12) -> tuple[Path, Config, Space]:
    config = Config.model_validate({"name": "old", "runs": str(folder)})
    config.folder.mkdir(parents=True)
    space = tiny.space()
    study = Study(name="old", storage=open_storage(config.folder, None), space=space, create=True)
    for number in range(trials):
        study.add(waiting(space, number))
        curve = tuple(Report(epoch=e, accuracy=number / 100 + e / 10, loss=1.0, seconds=1.0) for e in (1, 2))
        study.finish(number, curve[: 1 if number == 0 else 2], "out of memory" if number == 1 else None)
    return config.folder, config, space


def test_trials_of_a_run_are_gathered(tmp_path: Path) -> None:
    folder, config, space = earlier_run(tmp_path)
    journal = (folder / "study.journal").read_bytes()
    (earlier,) = gather([(folder, config)], space, NARS)
    observed = earlier.observations(space)
    assert earlier.trials == len(observed.score_N) == 11  # one failed
    assert observed.score_N[0] == pytest.approx(0.1)  # stopped after its first epoch
    assert observed.score_N[1:].tolist() == pytest.approx([0.2 + number / 100 for number in range(2, 12)])
    assert (folder / "study.journal").read_bytes() == journal


def test_candidates_outside_a_restriction_are_left_out(tmp_path: Path) -> None:
    folder, config, space = earlier_run(tmp_path)
    address = next(a for a, d in zip(space.addresses, space.dimensions, strict=True) if len(d.values) == 2)
    narrow = space.restrict({address: space.dimension(address).values[:1]})
    (earlier,) = gather([(folder, config)], narrow, NARS)
    assert earlier.trials == 11
    assert 2 <= len(earlier.scores) < 11
    assert narrow.contains(earlier.observations(narrow).codes_ND).all()


def test_what_was_gathered_stays_with_the_run(tmp_path: Path) -> None:
    folder, config, space = earlier_run(tmp_path)
    gathered = gather([(folder, config)], space, NARS)
    write_earlier(tmp_path / "new", gathered)
    assert read_earlier(tmp_path / "new") == gathered
    np.testing.assert_array_equal(
        read_earlier(tmp_path / "new")[0].observations(space).codes_ND, gathered[0].observations(space).codes_ND
    )
    check_unchanged(tmp_path / "new", [folder])
    with pytest.raises(UsageError, match="was started from"):
        check_unchanged(tmp_path / "new", [tmp_path / "other"])
    write_earlier(tmp_path / "new", [])
    assert read_earlier(tmp_path / "new") == []


def test_what_cannot_be_used(tmp_path: Path) -> None:
    folder, config, space = earlier_run(tmp_path)
    with pytest.raises(UsageError, match="11 trials with a score, and 0 different ones fit space 'fbnetv3'"):
        gather([(folder, config)], fbnetv3.space(), NARS)
    with pytest.raises(UsageError, match="needs the sampler 'nars'"):
        gather([(folder, config)], space, SearchSection(sampler="tpe"))
    with pytest.raises(NoStudy, match="nothing in it has been trained"):
        gather([(tmp_path / "none", config)], space, NARS)


def test_a_run_of_another_score_cannot_start_this_one(tmp_path: Path) -> None:
    folder, config, space = earlier_run(tmp_path)
    robust = SearchSection(score="assess.corruption.accuracy")
    with pytest.raises(UsageError, match=r"judged its trials by search\.score accuracy, and this search"):
        gather([(folder, config)], space, robust)
    same = config.model_copy(update={"search": robust})
    assert len(gather([(folder, same)], space, robust)) == 1


def test_every_batch_has_a_share_without_the_past(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler, known = Sampler(offer(earlier=[some(60, seed=5)])), some(24, seed=1)
    sizes: dict[str, int] = {"past": 0, "plain": 0}
    greedy = sampler._greedy

    def counted(model, observed, waiting_ND, n, *rest):  # type: ignore[no-untyped-def]
        sizes["plain" if type(model).__module__ == "predictors.gp" else "past"] += n
        return greedy(model, observed, waiting_ND, n, *rest)

    monkeypatch.setattr(sampler, "_greedy", counted)
    picks_ND = sampler.propose(known, known.codes_ND[:0], 8)
    assert sizes == {"past": 6, "plain": 2}
    assert len(np.unique(picks_ND, axis=0)) == 8


@pytest.mark.parametrize("text", ["{", "[1]", "{}", '[{"run": "a"}]', "3", "null", "\xff"])
def test_a_damaged_past_is_a_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "warm_start.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match="what the run was started from, was damaged or edited"):
        read_earlier(tmp_path)
