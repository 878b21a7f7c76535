from pathlib import Path
from typing import get_args

import pytest

from search.setting.config import Config, ConfigError, parse, read
from search.setting.section import Section
from tests.places import ROOT


def test_shipped_configurations_are_valid() -> None:
    for file in sorted((ROOT / "configs").glob("*.yaml")):
        assert read(file).name


def test_what_is_dumped_is_read_back() -> None:
    config = parse("name: a\nlimits: {max_macs: 20M}\nfamily: {max_macs: [1k, 2.5k]}\ndata: {source: folder, path: x}")
    assert config.limits.max_macs == 20e6
    assert config.family.max_macs == [1e3, 2.5e3]
    assert config.data.keywords == {"path": "x"}
    assert parse(config.dump()) == config


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("name: a\nsearch:\n  trails: 3", ("line 3", "unknown key 'search.trails'", "trials")),
        ("name: a\nserch: {}", ("line 2", "unknown key 'serch'", "search")),
        ("seed: 1", ("'name' is missing",)),
        ("name: a/b", ("line 1", "'name' is 'a/b'")),
        ("name: a\nsearch: {trials: 5, initial: 9}", ("initial (9) must not exceed trials (5)",)),
        ("name: a\nspace: {name: tinny}", ("line 2", "'space.name' is 'tinny': it can be tiny, ")),
        ("name: a\nsearch:\n  epochs: 2\n  sampler: magic", ("line 4", "'search.sampler' is 'magic'", "nars", "tpe")),
        ("name: a\nrun: {executor: slurm}", ("'run.executor' is 'slurm'", "ray_tune", "serial")),
        ("name: a\nlimits: {max_macs: many}", ("'limits.max_macs'", "'many'")),
        ("name: a\nrun:\n  gpus: -1", ("line 3", "'run.gpus", "-1", "zero or more, or 'auto'")),
        ("name: a\nrun: {memory: much}", ("'run.memory", "'much'")),
        ("name: a\nfamily:\n  max_macs: []", ("line 3", "'family.max_macs' is []", "a list of budgets such as")),
        ("name: a\nfamily: {max_macs: 51}", ("'family.max_macs' is 51", "from 1 to 50")),
        ("name: a\nfamily: {max_macs: [1k, -2]}", ("'family.max_macs' is ['1k', -2]",)),
        ("name: a\nfamily: {teachers: -1}", ("'family.teachers' is -1", "zero or more", "local-dir:")),
        ("name: a\nfamily: {teachers: [1]}", ("'family.teachers' is [1]",)),
        ("name: a\nfamily: {assess: [robust]}", ("'family.assess'", "'robust' is none of", "corruption")),
        ("name: a\nsearch: {score: assess.corruption.speed}", ("'assess.corruption.speed' is none of accuracy,",)),
        ("name: a\nsearch: {score: {accuracy: 0}}", ("'search.score' is", "weights are numbers above 0")),
        ("name: [", ("not YAML",)),
        ("- 1", ("must be a mapping",)),
        ("", ("must be a mapping",)),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_is_allowed(text: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text, "c.yaml")
    assert all(part in str(error.value) for part in parts), str(error.value)
    assert "\n" not in str(error.value)


def test_a_score_is_weights_of_sum_one() -> None:
    mixed = parse("name: a\nsearch: {score: {accuracy: 3, assess.by_class.worst: 1}}")
    assert mixed.search.weights == (("accuracy", 0.75), ("assess.by_class.worst", 0.25))
    assert parse(mixed.dump()) == mixed
    assert parse("name: a\nsearch: {score: {accuracy: 2}}").search.weights == parse("name: a").search.weights == ()


def test_every_mistake_is_reported_once() -> None:
    with pytest.raises(ConfigError) as error:
        parse("name: a\nsearch: {trails: 3, batch: 0, sampler: magic}")
    assert len(str(error.value).splitlines()) == 3


def test_every_file_of_sections_is_in_the_configuration() -> None:
    files = {file.stem for file in (ROOT / "search" / "setting" / "sections").glob("*.py")} - {"__init__"}
    # A section of several parts of one kind, such as weights, is a mapping.
    types = {name: (field.annotation, *get_args(field.annotation))[-1] for name, field in Config.model_fields.items()}
    sections = {name: kind for name, kind in types.items() if isinstance(kind, type) and issubclass(kind, Section)}
    assert set(sections) == files
    for name, kind in sections.items():
        assert kind.__module__ == f"search.setting.sections.{name}"


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(ConfigError, match=r"c\.yaml' is not text in UTF-8, but in UTF-16"):
        read(file)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"cannot read the configuration 'nowhere.yaml'"):
        read(Path("nowhere.yaml"))


@pytest.mark.parametrize(("text", "gpus"), [("1", 1.0), ("0", 0.0), ("0.25", 0.25), ("auto", "auto")])
def test_a_share_of_a_gpu_is_saved_as_it_was_read(text: str, gpus: object) -> None:
    config = parse(f"name: small\ndata: {{source: digits}}\nrun: {{gpus: {text}}}\n")
    assert config.run.gpus == gpus
    assert config.model_dump()["run"]["gpus"] == gpus, "without a warning, which a test fails for"


def test_relative_paths_of_data_are_found_from_other_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    data = parse("name: a\ndata: {source: folder, path: photos, cache: photos/new, resolution: 8}").data
    assert data.located == {"path": f"{tmp_path}/photos", "cache": f"{tmp_path}/photos/new", "resolution": 8}
    assert parse("name: a\ndata: {source: folder, cache: ''}").data.located["cache"] == ""  # not the current folder
    for path in ("s3://x/train-{0..3}.tar", "photos/train-{0..3}.tar", "mnist", "user/name"):
        located = parse(f"name: a\ndata: {{source: webdataset, path: '{path}'}}").data.located["path"]
        assert located == (f"{tmp_path}/{path}" if path.startswith("photos") else path)
