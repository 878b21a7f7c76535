from pathlib import Path

from tests.miniatures.layouts import noise


def write(root: Path) -> None:
    (root / "annotations").mkdir(parents=True)
    for split, first, count in (("train", 0, 5), ("test", 1000, 2)):
        lines, seed = [], first
        for content in range(4):
            for origin in range(2):
                # One real photograph too many, and one picture that is not there.
                for number in range(count + (content == 0 and origin == 0)):
                    path = f"./set{origin}/{split}_{content}_{number}.png"
                    noise(root / path, seed)
                    seed += 1
                    family, generator = ((0, number % 3) if number % 2 else (1, 3)) if origin else (4, 8)
                    lines.append(f"{path},{origin},{content},{family},{generator}")
        lines.append("./elsewhere/absent.png,0,0,4,8")
        (root / "annotations" / f"{split}_annotations.txt").write_text("\n".join(lines), encoding="utf-8")
