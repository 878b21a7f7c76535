"""What a search begins with, and which files it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from search.setting.beginning import Beginning, beginning_of, describe
from search.setting.config import ConfigError, parse
from search.setting.setting import Setting, prepare
from spaces import tiny, tiny_vit
from spaces.candidate import Candidate

CONFIG = """
name: small
runs: RUNS
space: {name: tiny, restrict: {architecture.resolution: [8, 12]}}
limits: {max_macs: 200k}
search: {trials: 20, initial: 8, begin_with: FILES, references: REFERENCES}
family: {max_macs: [6k, 20k, 60k], references: BESIDE}
"""


def setting_of(folder: Path, files: Any = (), references: str = "auto", beside: str = "true", **more: str) -> Setting:
    text = CONFIG.replace("RUNS", str(folder)).replace("FILES", json.dumps([str(file) for file in files]))
    text = text.replace("REFERENCES", references).replace("BESIDE", beside)
    for old, new in more.items():
        text = text.replace(old, new)
    return prepare(parse(text))


def reference(resolution: int) -> Candidate:
    return next(one.candidate for one in tiny.references() if one.candidate.architecture["resolution"] == resolution)


def written(path: Path, candidate: Candidate | str) -> Path:
    path.write_text(candidate if isinstance(candidate, str) else candidate.to_json())
    return path


def test_references_come_largest_first(tmp_path: Path) -> None:
    setting = setting_of(tmp_path)
    beginning = beginning_of(setting)
    macs = [setting.statistics(setting.space.encode([one.candidate]))[0].macs for one in beginning.first]
    assert len(macs) == 2
    assert 20e3 < macs[0] <= 60e3
    assert macs[1] <= 6e3
    assert len(beginning.beside) == 3
    assert Beginning.from_json(json.loads(json.dumps(beginning.to_json()))) == beginning


def test_none_and_all(tmp_path: Path) -> None:
    setting = setting_of(tmp_path, references="none", beside="false")
    assert beginning_of(setting) == Beginning()
    assert list(describe(setting, Beginning())) == []
    with pytest.raises(ConfigError, match=r"'all', which are 12 here.*room for 8: raise it to at least 12"):
        beginning_of(setting_of(tmp_path, references="all"))
    everything = beginning_of(setting_of(tmp_path, references="all", **{"initial: 8": "initial: 12"}))
    assert len(everything.first) == 12


def test_own_candidates_come_first_and_none_stands_twice(tmp_path: Path) -> None:
    own = written(tmp_path / "own.json", reference(8))
    listed = written(tmp_path / "list.json", json.dumps([{"candidate": reference(12).to_dict()}] * 2))
    beginning = beginning_of(setting_of(tmp_path, [own, listed, own]))
    names = [one.name for one in beginning.first]
    assert names[:2] == [f"{own}, at the space's nearest levels", f"{listed}, at the space's nearest levels"]
    assert len(names) == 4
    again = written(tmp_path / "again.json", beginning.first[2].candidate)
    names = [one.name for one in beginning_of(setting_of(tmp_path, [again])).first]
    assert names[0] == str(again)
    assert len(names) == 2, "one of the two references is the user's own candidate"


def test_a_small_first_round_is_not_all_references(tmp_path: Path) -> None:
    assert len(beginning_of(setting_of(tmp_path, **{"initial: 8": "initial: 3"})).first) == 1


def test_a_space_without_fitting_references_says_so(tmp_path: Path) -> None:
    setting = setting_of(tmp_path, **{"[6k, 20k, 60k]": "[8k]", "[8, 12]": "[8], architecture.stem_stride: [1]"})
    beginning = beginning_of(setting)
    assert beginning == Beginning()
    (sentence,) = describe(setting, beginning)
    assert sentence == "references: none, since space 'tiny' has none that fits its restriction and the budgets"


FILES = [
    ("{", "is not JSON"),
    ("[]", "holds no candidates"),
    ("[1, 2]", "holds no candidates: it should be one candidate, or a list"),
    ('"resnet"', "holds no candidates: it should be one candidate, or a list"),
    ('{"backbone": "mobile"}', "holds no candidates: a candidate has the fields"),
    (next(tiny_vit.references()).candidate, r"does not fit: candidate \w+ has backbone 'tiny_vit'"),
    (reference(32), r"does not fit: 'architecture.resolution' is 32; space 'tiny' allows 8, 12"),
]


@pytest.mark.parametrize(("content", "message"), FILES)
def test_what_is_refused(tmp_path: Path, content: Candidate | str, message: str) -> None:
    file = written(tmp_path / "own.json", content)
    with pytest.raises(ConfigError, match=f"search.begin_with: .*own.json.*{message}") as caught:
        beginning_of(setting_of(tmp_path, [file]))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"search.begin_with: .*gone.json does not exist"):
        beginning_of(setting_of(tmp_path, [tmp_path / "gone.json"]))


def test_a_candidate_beyond_the_limits_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path / "own.json", reference(12))
    with pytest.raises(ConfigError, match=r"has 6,788 macs, above limits.max_macs \(5,000\)"):
        beginning_of(setting_of(tmp_path, [file], **{"max_macs: 200k": "max_macs: 5k", "[6k, 20k, 60k]": "[5k]"}))


def test_more_candidates_than_the_first_round_are_refused(tmp_path: Path) -> None:
    files = [
        written(tmp_path / f"{row}.json", one.candidate)
        for row, one in enumerate(tiny.references())
        if one.candidate.architecture["resolution"] == 8
    ][:5]
    with pytest.raises(ConfigError, match=r"begin_with has 5 candidates, but only search.initial \(3\) trials"):
        beginning_of(setting_of(tmp_path, files, **{"initial: 8": "initial: 3"}))
