from pathlib import Path

from tests.miniatures.layouts import noise


def write(root: Path) -> None:
    lines = ["hash,unickname,datetaken,flags"]
    for number in range(12):
        noise(root / f"PASS_dataset/{number % 3}/{number:04x}.png", number)
        lines.append(f"{number:04x},author {number},2004-01-01,{'face' if number == 5 else ''}")
    (root / "pass_metadata.csv").write_text("\n".join(lines), encoding="utf-8")
