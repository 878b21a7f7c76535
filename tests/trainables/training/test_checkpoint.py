"""Checkpoints of several attempts, on several storages."""

from pathlib import Path

import pytest

from trainables.training.checkpoint import Checkpoint, CheckpointError, drop_all_but

FOLDERS = ["local", "file", "memory"]


@pytest.fixture(params=FOLDERS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return {"local": str(tmp_path), "file": f"file://{tmp_path}/deep", "memory": f"memory://{tmp_path.name}"}[
        request.param
    ]


def test_a_late_write_of_an_earlier_attempt_is_ignored(folder: str) -> None:
    path = f"{folder}/trial-7.pt"
    orphan = Checkpoint(path=path).claimed()
    orphan.save({"epoch": 1})
    later = Checkpoint(path=path).claimed()
    assert later.load() == {"epoch": 1}
    later.save({"epoch": 2})
    orphan.save({"epoch": 9})
    assert Checkpoint(path=path).load() == {"epoch": 2}
    third = Checkpoint(path=path).claimed()
    assert third.attempt > later.attempt > orphan.attempt
    third.save({"epoch": 3})
    assert third.load() == {"epoch": 3}


def test_delete_removes_all_attempts_of_one_checkpoint(folder: str) -> None:
    for _ in range(2):
        Checkpoint(path=f"{folder}/trial-1.pt").claimed().save({"a": 1})
    Checkpoint(path=f"{folder}/trial-11.pt").claimed().save({"a": 2})
    Checkpoint(path=f"{folder}/trial-1.pt").delete()
    assert Checkpoint(path=f"{folder}/trial-1.pt").load() is None
    assert Checkpoint(path=f"{folder}/trial-11.pt").load() == {"a": 2}


def test_a_quota_counts_the_other_trials(folder: str) -> None:
    Checkpoint(path=f"{folder}/trial-1.pt").save({"a": 1})
    second = Checkpoint(path=f"{folder}/trial-2.pt", quota=2000)
    with pytest.raises(CheckpointError, match=r"does not fit beside the [\d,]+ bytes of the other trials"):
        second.save({"a": list(range(500))})
    assert second.load() is None
    Checkpoint(path=f"{folder}/trial-1.pt").delete()
    alone = Checkpoint(path=f"{folder}/trial-2.pt", quota=2000)
    alone.save({"a": 1})
    alone.save({"a": 2})
    assert alone.load() == {"a": 2}


def test_what_ended_trials_left_is_removed(folder: str) -> None:
    for number in (1, 2, 12):
        Checkpoint(path=f"{folder}/trial-{number}.pt").claimed().save({"a": number})
    assert drop_all_but(folder, {"trial-2.pt"}) == 2
    assert Checkpoint(path=f"{folder}/trial-2.pt").load() == {"a": 2}
    assert Checkpoint(path=f"{folder}/trial-12.pt").load() is None


def test_a_storage_that_cannot_be_opened_is_one_sentence() -> None:
    with pytest.raises(CheckpointError, match=r"checkpoints cannot be kept at 'nowhere://x/trial-1\.pt': "):
        Checkpoint(path="nowhere://x/trial-1.pt").save({"a": 1})
    with pytest.raises(CheckpointError, match="checkpoints cannot be kept at"):
        drop_all_but("nowhere://x", set())
