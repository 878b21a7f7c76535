from pathlib import Path

import pytest

from trainables.stored import write_whole


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    for content in (b"old", b"new"):
        write_whole(path, lambda stream, content=content: stream.write(content))
        assert path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")

    def write(stream: object) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        write_whole(path, write)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
