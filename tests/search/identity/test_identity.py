"""What a run is, and what is refused of a folder that is another one by now."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from search.__main__ import main
from search.family.members import load_family
from search.files import write_text
from search.identity.data import DataIdentity
from search.identity.document import read_identity, write_identity
from search.identity.folder import prepare_run, read_study
from search.identity.identity import Identity, changed_keys, new_identity
from search.identity.saved import continued, resolved, saved
from search.setting.config import Config, parse
from search.setting.setting import prepare
from search.setting.text import document
from spaces.mistake import Mistake
from tests.search.repair.damages import edit, remove, write
from tests.trainables.data.images import write_images
from trainables.splits import Images, Splits, from_parts


def images(count: int, seed: int) -> Images:
    rng = np.random.default_rng(seed)
    return Images(
        image_NCHW=rng.integers(0, 256, (count, 1, 4, 4), dtype=np.uint8), label_N=np.arange(count, dtype=np.int64) % 2
    )


def data(train: Images | None = None) -> Splits:
    return from_parts(train or images(20, 0), images(6, 1), images(6, 2), ("cat", "dog"))


def test_the_same_images_are_the_same_data_and_any_other_is_not() -> None:
    before = DataIdentity.of(data())
    assert not list(DataIdentity.of(data()).differences(before))
    assert DataIdentity.from_json(json.loads(json.dumps(before.to_json()))) == before
    (words,) = DataIdentity.of(data(images(21, 0))).differences(before)
    assert words == "training has 21 images, had 20"
    changed = images(20, 0)
    changed.image_NCHW[7, 0, 0, 0] ^= 1
    (words,) = DataIdentity.of(data(changed)).differences(before)
    assert words == "of the 20 images of training some are others"


def identity(**changes: object) -> Identity:
    config = resolved(parse(f"name: small\nspace: {{name: tiny}}\n{changes.pop('more', '')}"))
    return new_identity("small", config.model_dump(mode="json"), DataIdentity.of(data()), prepare(config).space)


def test_runs_of_one_name_on_other_data_or_with_another_seed_have_other_studies() -> None:
    one = identity()
    assert one.study == identity().study == identity(more="run: {executor: serial}").study
    assert one.study != identity(more="seed: 1").study
    other = replace(one, data=DataIdentity.of(data(images(20, 5))))
    assert other.digest != one.digest


def test_only_what_decides_is_compared_and_named_with_both_values() -> None:
    before = resolved(parse("name: a")).model_dump(mode="json")
    moved = parse("name: b\nruns: elsewhere\nrun: {concurrent: 3}\ntracking: {enabled: false}")
    assert not changed_keys(resolved(moved).model_dump(mode="json"), before)
    edited = resolved(parse("name: a\nseed: 4\nsearch: {epochs: 9}")).model_dump(mode="json")
    assert changed_keys(edited, before) == ["seed is 4, was 0", f"search.epochs is 9, was {before['search']['epochs']}"]


def test_an_edited_identity_is_refused(tmp_path: Path) -> None:
    write_identity(tmp_path, identity())
    assert read_identity(tmp_path) == identity()
    file = tmp_path / "run.json"
    file.write_text(file.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(Mistake, match="was damaged or edited"):
        read_identity(tmp_path)


FOLDER = """
name: old
runs: '{0}'
data: {{source: folder, path: '{0}/images', cache: '{0}/cache', resolution: 8}}
space: {{name: tiny}}
"""


@pytest.fixture
def old(tmp_path: Path) -> Config:
    """The file of a run that was begun when every split was drawn, so that its folder does not say so."""
    write_images(tmp_path / "images")
    config = parse(FOLDER.format(tmp_path))
    setting = prepare(config.stored)
    kept = resolved(config).model_dump(mode="json")
    del kept["data"]["split"]
    identity = new_identity(config.name, kept, DataIdentity.of(setting.splits), setting.space)
    write_identity(config.folder, identity)
    write_text(config.folder / "config.yaml", document.dump(kept))
    return config


def test_a_run_from_before_there_was_a_choice_keeps_its_split(old: Config) -> None:
    config = saved(old.folder)
    assert config.data.keywords["split"] == "drawn"
    assert prepare_run(config).splits.train.label_N.tolist() == [0] * 6 + [1] * 6
    assert continued(old, "old.yaml").data == config.data
    assert "split" not in old.data.keywords
    named = old.model_copy(update={"data": resolved(old).data})
    with pytest.raises(Mistake, match=r'data\.split is "hash", was "drawn"'):
        continued(named, "old.yaml")


def test_a_run_keeps_its_digest_when_its_split_is_named(old: Config) -> None:
    begun = read_identity(old.folder)
    assert begun is not None
    assert replace(begun, configuration=saved(old.folder).model_dump(mode="json")).digest == begun.digest
    new = resolved(old).model_dump(mode="json")
    assert replace(begun, configuration=new).digest != begun.digest


# of a finished run ---------------------------------------------------------------------------------------------------


@pytest.fixture
def run(product: Path, tmp_path: Path) -> Path:
    """A finished run under another name in another place."""
    return shutil.copytree(product, tmp_path / "other" / "renamed")


def test_a_renamed_and_moved_run_keeps_its_study(run: Path, product: Path) -> None:
    assert len(read_study(prepare_run(saved(run)), encoded=True).trials()) >= 9
    assert load_family(run / "family").run == read_identity(product).digest  # type: ignore[union-attr]


REFUSED = {
    "another seed": (edit("config.yaml", "seed: 0", "seed: 5"), "seed is 5, was 0"),
    "another share": (edit("config.yaml", "validation: 0.3", "validation: 0.25"), "data.validation is 0.25, was 0.3"),
    "fewer epochs": (edit("config.yaml", "epochs: 2", "epochs: 1"), "epochs is 1, was 2"),
    "no configuration": (remove("config.yaml"), "has no config.yaml"),
    "a configuration that is no text": (write("config.yaml", b"\xff\xfe\x00"), "config.yaml' is not text in UTF-8"),
    "no identity's JSON": (write("run.json", b"{"), "is not JSON"),
    "an identity of a later version": (edit("run.json", '"format": 1', '"format": 9'), "has format 9"),
    "an identity that is a list": (write("run.json", b"[]"), "this version reads 1"),
    "an edited identity": (edit("run.json", '"images": ', '"images": 1'), "was damaged or edited"),
    "no study": (remove("study.journal"), "study"),
    "no family's JSON": (write("family/family.json", b"nothing"), "is not JSON"),
    "a family that is a number": (write("family/family.json", b"3"), "has format"),
    "a family without members": (edit("family/family.json", '"members"', '"others"'), "was damaged or edited"),
    "a family of another run": (edit("family/family.json", '"run": "', '"run": "0'), "family of a run with other data"),
    "a member outside": (edit("family/family.json", '"name": "member-1"', '"name": "../victim"'), "given '../victim'"),
    "a lost member": (remove("family/member-1"), "member-1"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_damaged_run_is_refused_in_a_sentence(kind: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage, words = REFUSED[kind]
    damage(run)
    assert main(["report", str(run)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert len(error.splitlines()) == 1, error
    assert words in error, error


def test_what_only_says_where_may_be_edited(run: Path) -> None:
    edit("config.yaml", "concurrent: null", "concurrent: 2")(run)
    assert saved(run).run.concurrent == 2
