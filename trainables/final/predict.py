"""The classes of images by an exported member, run as a script from its folder: ``predict.py``.

NumPy, Pillow and ONNX Runtime are enough; nothing of the project that made the member is needed::

    python predict.py photo.jpg more/photos --json

A network of clips takes folders of frames and files with several pictures, each as one object.
"""

import argparse
import contextlib
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.decoding import (
    EXTENSIONS,
    Decoding,
    UnreadableImage,
    clips,
    decode,
    has_several,
    image_files,
    is_shown,
    pictures,
)

COMPARE = "compare the member's files: sha256sum -c SHA256SUMS"


class DamagedMember(Exception):
    """A file of the exported member cannot be used; the message names it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the likeliest classes of images; 0 if all were read, 1 if some were not, 2 if nothing could be done."""
    own = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description="The likeliest classes of images, or of clips.")
    of_clips = "for a network of clips, a file with several pictures, or a folder of frames"
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help=f"an image, or a folder of images; {of_clips}"
    )
    parser.add_argument("--top", type=int, default=5, help="classes an image (5)")
    parser.add_argument("--json", action="store_true", help="a JSON list in place of lines")
    parser.add_argument(
        "--labels", nargs="+", metavar="TEXT", help="names these, such as 'a cat' 'a dog', not its classes"
    )
    parser.add_argument("--model", type=Path, default=own / "model.onnx", help="another graph of this member")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        answers = list(predictions(own, options.model, options.paths, max(1, options.top), options.labels))
    except (OSError, ImportError, DamagedMember) as error:
        print(f"predict.py: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(answers, indent=1))
    for answer in [] if options.json else answers:
        classes = ", ".join(f"{one['class']} {one['probability']:.4f}" for one in answer.get("classes", ()))
        name = "".join(one if is_shown(one) else repr(one)[1:-1] for one in answer["file"])
        print(f"{name}: {classes or 'not read: ' + answer['error']}")
    return int(any("error" in answer for answer in answers))


def _listed(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            files, _ = image_files(path)
            if not files:
                raise FileNotFoundError(f"'{path}' has no image ({', '.join(EXTENSIONS)})")
            yield from files
        elif path.is_file():
            yield path
        elif path.exists():  # reading a pipe would wait for whoever writes into it
            raise OSError(f"'{path}' is no regular file; name an image, or a folder of images")
        else:
            raise FileNotFoundError(f"'{path}' does not exist")


def _objects(paths: Sequence[Path]) -> Iterator[tuple[Path, list[Path]]]:
    """Objects of clips: a file that is named or has several pictures, or all other files of a folder."""
    for path in paths:
        files = list(_listed([path]))
        alone = [file for file in files if file == path or has_several(file)]
        yield from ((file, [file]) for file in alone)
        frames = sorted(set(files).difference(alone), key=lambda file: (str(file.parent), _numbers(file.name)))
        yield from ((folder, list(own)) for folder, own in groupby(frames, key=lambda file: file.parent))


def _numbers(name: str) -> list[Any]:
    """A key by which frame 2 comes before frame 10."""
    return [int(part) if odd % 2 else part for odd, part in enumerate(re.split(r"(\d+)", name))]


def _pixels(files: Sequence[Path], decoding: Decoding) -> Iterator[NDArray[np.uint8]]:
    """Pictures of an object: the first of an image's file, all of a clip's files."""
    for file in files:
        try:
            yield from pictures(file, decoding) if decoding.frames > 1 else (decode(file, decoding)[0],)
        except UnreadableImage as error:
            raise UnreadableImage(f"{file.name}: {error}" if len(files) > 1 else str(error)) from error


def predictions(
    folder: Path, model: Path, paths: Sequence[Path], top: int, labels: Sequence[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Of each file the likeliest classes with their probabilities, or why it was not read.

    Args:
        folder: of the exported member.
        model: its ONNX graph.
        paths: images and folders of images. Of a network of clips, an object is a file with several pictures or a
            folder of frames, and its probabilities are the mean of those of its clips.
        top: how many classes.
        labels: texts in place of its classes; the member was pretrained with captions.

    Raises:
        FileNotFoundError: it was not, or there is no such path.
        DamagedMember: its description or its graph cannot be used.
    """
    described = folder / "input.json"
    try:
        content = json.loads(described.read_text(encoding="utf-8"))
        decoding = Decoding(**{**content["decoding"], "background": tuple(content["decoding"]["background"])})
        names = content["classes"] if labels is None else labels
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedMember(f"'{described}' is damaged ({' '.join(str(error).split())[:100]}); {COMPARE}") from error
    objects = list(_objects(paths)) if decoding.frames > 1 else [(file, [file]) for file in _listed(paths)]
    scores: Callable[[NDArray[Any]], NDArray[np.floating[Any]]]
    scores = _graph(model, "logits") if labels is None else _by_texts(folder, labels)
    for name, files in objects:
        try:
            share_MK = np.array([_shares(scores(clip_DHW[None])[0]) for clip_DHW in _inputs(files, decoding)])
        except (UnreadableImage, OSError) as error:
            yield {"file": str(name), "error": str(error)}
            continue
        share_K = share_MK.mean(axis=0)
        best = np.argsort(-share_K, kind="stable")[:top]
        named = [{"class": names[k], "probability": round(float(share_K[k]), 6)} for k in best]
        yield {"file": str(name), "classes": named, **({"clips": len(share_MK)} if decoding.frames > 1 else {})}


def _inputs(files: Sequence[Path], decoding: Decoding) -> Iterator[NDArray[np.float32]]:
    """What a graph takes of an object, at least once."""
    found = False
    for clip_DHW in clips(_pixels(files, decoding), decoding):
        found = True
        yield clip_DHW.astype(np.float32) / np.float32(255.0)
    if not found:
        fewest = (decoding.frames - 1) * decoding.step + 1
        raise UnreadableImage(
            f"it has fewer than {fewest} pictures, and a clip has {decoding.frames}, {decoding.step} apart; name a "
            "folder of frames, or a file with several pictures"
        )


def _shares(score_K: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Probabilities of scores."""
    share_K: NDArray[np.float64] = np.exp(score_K.astype(np.float64) - float(score_K.max()))
    share_K /= share_K.sum()
    return share_K


def _graph(path: Path, output: str) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """An ONNX graph of one input and one output."""
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # the library has many
        reason = " ".join(str(error).split())[:100]
        raise DamagedMember(f"'{path}' is missing, or no graph that can be run ({reason}); {COMPARE}") from error
    name = session.get_inputs()[0].name

    def run(value: NDArray[Any]) -> NDArray[np.float32]:
        answer: NDArray[np.float32] = session.run([output], {name: value})[0]
        return answer

    return run


def _by_texts(folder: Path, labels: Sequence[str]) -> Callable[[NDArray[Any]], NDArray[np.floating[Any]]]:
    """Scores of texts, by a member's text tower."""
    described = folder / "texts.json"
    if not described.is_file():
        raise FileNotFoundError(
            f"--labels needs a member that was pretrained with captions; '{folder}' has no texts.json"
        )
    content = json.loads(described.read_text(encoding="utf-8"))
    spec = importlib.util.spec_from_file_location("tokens", folder / "tokens.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    token_KL = module.tokens(labels, content["sizes"]["length"]).astype(np.int64)
    label_KE = _graph(folder / "texts.onnx", "direction")(token_KL)
    directions = _graph(folder / "image.onnx", "direction")
    return lambda image_NCHW: float(content["scale"]) * directions(image_NCHW) @ label_KE.T


if __name__ == "__main__":
    sys.exit(main())
