from pathlib import Path

import pytest

from search.setting.config import ConfigError, parse, read
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
        ("name: a\nspace: {name: nowhere}", ("line 2", "'space.name' is 'nowhere'", "tiny")),
        ("name: a\nsearch:\n  epochs: 2\n  sampler: magic", ("line 4", "'search.sampler' is 'magic'", "nars", "tpe")),
        ("name: a\nrun: {executor: slurm}", ("'run.executor' is 'slurm'", "ray_tune", "serial")),
        ("name: a\nlimits: {max_macs: many}", ("'limits.max_macs'", "'many'")),
        ("name: a\nrun:\n  gpus: -1", ("line 3", "'run.gpus", "-1", "zero or more, or 'auto'")),
        ("name: a\nrun: {memory: much}", ("'run.memory", "'much'")),
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


def test_every_mistake_is_reported_once() -> None:
    with pytest.raises(ConfigError) as error:
        parse("name: a\nsearch: {trails: 3, batch: 0}")
    assert len(str(error.value).splitlines()) == 2


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"cannot read the configuration 'nowhere.yaml'"):
        read(Path("nowhere.yaml"))
