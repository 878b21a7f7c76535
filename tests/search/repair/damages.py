"""What can become of the folder of a run, by name; each changes a finished run."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[Path], None]


def edit(file: str, old: str, new: str) -> Damage:
    def change(run: Path) -> None:
        text = (run / file).read_text(encoding="utf-8")
        assert old in text, (file, old)
        (run / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def remove(name: str) -> Damage:
    def change(run: Path) -> None:
        path = run / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

    return change


def write(name: str, content: bytes) -> Damage:
    def change(run: Path) -> None:
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_bytes(content)

    return change


def folder(name: str) -> Damage:
    """A folder in the place of a file."""

    def change(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        (run / name).mkdir(parents=True)

    return change


def file_for_folder(name: str) -> Damage:
    """A file in the place of a folder."""

    def change(run: Path) -> None:
        shutil.rmtree(run / name, ignore_errors=True)
        (run / name).write_bytes(b"x")

    return change


def lines(file: str, change: Callable[[list[bytes]], list[bytes]]) -> Damage:
    def damage(run: Path) -> None:
        content = (run / file).read_bytes().splitlines(keepends=True)
        (run / file).write_bytes(b"".join(change(content)))

    return damage


def score(run: Path) -> None:
    """An accuracy in the journal is another."""
    path = run / "study.journal"
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    ended = next(entry for entry in entries if "curve" in entry.get("user_attr", {}))
    ended["user_attr"]["curve"][-1][1] = 0.123
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def flip(run: Path) -> None:
    """One byte of a member's weights."""
    path = run / "family" / "member-1" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


J = "study.journal"

DAMAGES: dict[str, Damage] = {
    "configuration gone": remove("config.yaml"),
    "configuration empty": write("config.yaml", b""),
    "configuration no text": write("config.yaml", b"\xff\xfe\x00"),
    "configuration in UTF-16": write("config.yaml", "name: x".encode("utf-16")),
    "configuration a list": write("config.yaml", b"- 1\n- 2\n"),
    "configuration no YAML": write("config.yaml", b"a: [\n"),
    "configuration a folder": folder("config.yaml"),
    "another seed": edit("config.yaml", "seed: 0", "seed: 5"),
    "more trials": edit("config.yaml", "trials: 9", "trials: 12"),
    "an unknown key": edit("config.yaml", "seed: 0", "seed: 0\nsaed: 1"),
    "a NUL in runs": edit("config.yaml", "runs: ", 'runs: "\\0" #'),
    "identity gone": remove("run.json"),
    "identity cut": write("run.json", b'{"format": 1'),
    "identity empty": write("run.json", b""),
    "identity a list": write("run.json", b"[]"),
    "identity null": write("run.json", b"null"),
    "identity of a later version": edit("run.json", '"format": 1', '"format": 9'),
    "identity edited": edit("run.json", '"images": ', '"images": 1'),
    "identity a folder": folder("run.json"),
    "identity nested": write("run.json", b"[" * 5000),
    "journal gone": remove(J),
    "journal empty": write(J, b""),
    "journal a folder": folder(J),
    "journal no text": write(J, b"\x00\xff" * 500),
    "journal's last line torn": lines(J, lambda all_: [*all_[:-1], all_[-1][:20]]),
    "journal with a bad line": lines(J, lambda all_: [*all_[:9], b"\x00nothing\n", *all_[9:]]),
    "journal with a torn line": lines(J, lambda all_: [*all_[:9], all_[9][:15] + b"\n", *all_[10:]]),
    "journal without a line": lines(J, lambda all_: [*all_[:9], *all_[10:]]),
    "journal without its first line": lines(J, lambda all_: all_[1:]),
    "journal without its end": lines(J, lambda all_: all_[:-12]),
    "journal with lines twice": lines(J, lambda all_: [*all_, *all_[-3:]]),
    "journal with entries of others": lines(J, lambda all_: [*all_, b'{"op_code": 99, "worker_id": "x"}\n']),
    "journal with a number": lines(J, lambda all_: [*all_[:9], b"7\n", *all_[9:]]),
    "journal with another score": score,
    "family gone": remove("family"),
    "family without its table": remove("family/family.json"),
    "family no JSON": write("family/family.json", b"nothing"),
    "family a number": write("family/family.json", b"3"),
    "family without members": edit("family/family.json", '"members"', '"others"'),
    "family of another run": edit("family/family.json", '"run": "', '"run": "0'),
    "family of other trials": edit("family/family.json", '"study": "', '"study": "0'),
    "family with an impossible accuracy": edit("family/family.json", '"test_accuracy": 0.', '"test_accuracy": 7.'),
    "member outside": edit("family/family.json", '"name": "member-1"', '"name": "../victim"'),
    "member gone": remove("family/member-1"),
    "member changed": flip,
    "member without sums": remove("family/member-1/SHA256SUMS"),
    "final trainings gone": remove("final"),
    "checkpoints a file": file_for_folder("checkpoints"),
    "report a folder": folder("report.html"),
    "log a folder": folder("search.log"),
    "warm start no JSON": write("warm_start.json", b"{"),
    "queue with a bad line": write("tracking/queue.jsonl", b'{"kind":"round","number":1}\n\xff\n'),
    "sent no number": write("tracking/sent", b"many"),
    "left by a process that died": write("family/.member-1.abc.tmp/x", b"x"),
}
