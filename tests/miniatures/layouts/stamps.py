from pathlib import Path

from tests.miniatures.layouts import noise


def write(root: Path) -> None:
    for seed, category in enumerate(("animals", "animals/birds", "food") * 4):
        stamp = root / category / f"stamp{seed}"
        noise(stamp.with_suffix(".png"), seed)
        stamp.with_suffix(".txt").write_text(f"Stamp {seed}.\nde.utf8=Stempel {seed}.\n", encoding="utf-8")
    noise(root / "food/stamp2_mirror.png", 99)
