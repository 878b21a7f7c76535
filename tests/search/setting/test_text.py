"""What a configuration must not be before its values are looked at, and how its mistakes are told."""

from pathlib import Path

import pytest

from search.setting.config import ConfigError, parse, read
from search.setting.text.document import MOST_BYTES

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n" for before, after in zip("abcdef", "bcdefg", strict=True)
)


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        parse(text, "c.yaml")
    sentences = str(error.value).splitlines()
    assert len(sentences) <= 10
    assert all(len(sentence) <= 300 for sentence in sentences)
    assert "pydantic" not in str(error.value)
    return sentences


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nname: b", "c.yaml, line 2: key 'name' stands in line 1 already; keep one"),
        ("name: a\nrun: {cpus: 1, cpus: 2}", "line 2: key 'cpus' stands in line 2 already"),
        ("? [a]\n: 1", "a list or a section cannot be a key"),
        ("name: a\n---\nname: b", "line 2: a second document begins"),
        (LAUGHS, "more than 5,000 values or 12 levels"),
        ("name: &a [*a]", "more than 5,000 values or 12 levels"),
        (f"x: {'[' * 500}", "more than 12 sections or lists in each other"),
        (f"x: {'[' * 5000}", "exceeded maximum nesting depth"),
        ("x: " + "{a: " * 500, "more than 12 sections or lists in each other"),
        ("name: !!python/object/apply:os.system [ls]", "python/object/apply:os.system' has no meaning"),
        ("name: !!binary aGk=", "the tag 'tag:yaml.org,2002:binary' has no meaning here"),
        ("seed: !!int many", "the tag 'tag:yaml.org,2002:int' has no meaning here"),
        (f"seed: {'9' * 5000}", "line 1: a number of 5,000 characters"),
        ("name: [", "c.yaml, line 2 is not YAML: did not find expected node content"),
        ("name: a\n\tb: c", "line 2 is not YAML: found a tab character that violates indentation"),
        ("name: a\0b", "is not YAML: control characters are not allowed"),
        ("name: a\n<<: 3", "is not YAML: expected a mapping or list of mappings for merging"),
        ("x" * (MOST_BYTES + 1), "has more than 200 kB"),
    ],
)  # fmt: skip
def test_what_no_configuration_needs_is_refused(text: str, message: str) -> None:
    (sentence,) = mistakes(text)
    assert message in sentence


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("search: {trials: true}", "'search.trials' is True: it must be a whole number"),
        ("search: {trials: yes}", "'search.trials' is True"),
        ("search: {epochs: 010}", "'search.epochs' is '010': it must be a whole number"),
        ("search: {epochs: 1:30}", "'search.epochs' is '1:30': it must be a whole number"),
        ("search: {epochs: 2001-01-01}", "'search.epochs' is '2001-01-01'"),
        ("search: {audit: .inf}", "'search.audit' is inf: it must be a number that is not infinite"),
        ("limits: {max_macs: 1e400}", "'limits.max_macs' is inf"),
        ("limits: {max_macs: 1.2.3}", "'limits.max_macs' is '1.2.3': it must be a number"),
        ("family: {max_macs: [.nan]}", "'family.max_macs' is [nan]: it must be a list of budgets"),
        ("family: {temperature: .inf}", "'family.temperature' is inf"),
        ("family: {distillation_weight: 0, label_weight: 0}", "are both 0, so that nothing is trained"),
        ("run: {cpus: 1000000}", "'run.cpus' is 1000000: it must be at most 1024"),
        ("run: {executor: protocol}", "it can be ray_train, ray_tune, serial"),
        ("run: {executor: work}", "it can be ray_train, ray_tune, serial"),
        ("run: {checkpoints: ''}", "'run.checkpoints' is '': it must not be empty"),
        ("run: {gpus: 1.5}", "it must be a share of a GPU up to 1, or whole ones"),
        ("run: {memory: .inf}", "'run.memory' is inf: it must be a number, zero or more, or 'auto'"),
        ("run: {checkpoint_quota: .inf}", "'run.checkpoint_quota' is inf"),
        ('runs: "a\\0b"', "a path or an address has no control characters"),
        ("limits: {latency_file: ''}", "'limits.latency_file' is '': it must not be empty"),
        ("space: {restrict: {architecture.resolution: 8}}", "it must be a list of values of the space"),
        ("space: {restrict: {architecture.resolution: [[8]]}}", "it must be a list of values of the space"),
        ("data: 3", "'data' is 3: it must be a section of keys"),
        ("tracking: {uri: 3}", "'tracking.uri' is 3: it must be text"),
    ],
)
def test_a_value_that_makes_no_sense_is_one_sentence(values: str, message: str) -> None:
    (sentence,) = mistakes(f"name: a\n{values}")
    assert message in sentence


def test_a_long_name_is_told_shortly() -> None:
    (sentence,) = mistakes(f"name: {'a' * 5000}")
    assert sentence.endswith("…: it has more than 100 characters")


def test_ten_mistakes_are_told_of_many() -> None:
    sentences = mistakes("name: a\n" + "\n".join(f"key{i}: 1" for i in range(2000)))
    assert len(sentences) == 10
    assert sentences[-1] == "and 1,991 more mistakes"


def test_a_near_key_is_proposed() -> None:
    assert (
        "unknown key 'search.trails'; did you mean 'trials'? allowed here: trials, init"
        in mistakes("name: a\nsearch: {trails: 3}")[0]
    )


def test_numbers_are_read_as_people_write_them() -> None:
    config = parse(
        "name: a\nsearch: {regret: 1e-3}\nspace: {restrict: {x: [1e-3, 2, 1e5, 010]}}\nlimits: {max_macs: 1e6}"
    )
    assert config.search.regret == 1e-3
    assert config.space.restrict == {"x": [1e-3, 2, 1e5, "010"]}
    assert config.limits.max_macs == 1e6


def test_words_that_look_like_numbers_are_written_so_that_they_stay_words() -> None:
    config = parse("name: '1e5'\ndata: {source: folder, path: '2001-01-01', cache: '010'}")
    assert config.name == "1e5"
    assert parse(config.dump()) == config


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_byte_order_mark_and_any_end_of_line_are_read(end: str, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(f"\ufeffname: a{end}seed: 3{end}".encode())
    assert read(file).seed == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name: a".encode("utf-16"), "but in UTF-16 or UTF-32; save it as UTF-8"),
        ("name: a".encode("utf-32"), "but in UTF-16 or UTF-32"),
        ("name: a\n# Größe".encode("latin-1"), "line 2 has the byte 0xf6; save it as UTF-8"),
        (b"x" * (MOST_BYTES + 1), "has more than 200 kB; is it another kind of file?"),
    ],
)
def test_a_file_in_another_encoding_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        read(file)


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no file"):
        read(tmp_path)


def test_a_folder_of_runs_in_the_home_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert parse("name: a\nruns: ~/runs/").folder == Path("/somewhere/runs/a")
