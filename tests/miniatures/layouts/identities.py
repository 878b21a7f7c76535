from pathlib import Path

from tests.miniatures.layouts import noise


def write(root: Path) -> None:
    for identity in range(4):
        for number in range(2 + identity % 2):
            noise(root / f"person {identity}" / f"{number}.png", 10 * identity + number)
        (root / f"person {identity}" / "0.txt").write_text(f"A red coat.\nde.utf8=Ein Mantel {identity}.", "utf-8")
