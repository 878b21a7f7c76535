"""From a file to pixels: every mode and shape that files have, beside timm's own evaluation transform."""

import hashlib
import io
import json
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from timm.data import create_transform

from trainables.data.decoded import VERSION
from trainables.decoding import Decoding, UnreadableImage, clips, decode, image_files, pictures, windows
from trainables.final.predict import DamagedMember, _objects, predictions

RGB = Decoding(side=8)
MODES = ("L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16", "1")


def picture(mode: str, width: int = 13, height: int = 9) -> Image.Image:
    """Smooth colours with an edge, and in modes that have it a transparent corner."""
    y_HW, x_HW = np.mgrid[:height, :width]
    levels = [255 * x_HW / max(width - 1, 1), 255 * y_HW / max(height - 1, 1), 255 * (x_HW > width / 2)]
    colour = Image.fromarray(np.stack(levels, axis=2).round().astype(np.uint8))
    alpha = Image.fromarray(np.where(x_HW + y_HW < (width + height) / 3, 0, 200).astype(np.uint8))
    if mode == "I;16":
        return Image.fromarray((257 * np.asarray(colour.convert("L"), dtype=np.uint16)).astype(np.uint16))
    if mode in ("LA", "RGBA"):
        colour.putalpha(alpha)
        return colour.convert(mode)
    if mode == "PA":
        flat = colour.convert("P")
        flat.putalpha(alpha)
        return flat
    return colour.convert(mode)


def saved(image: Image.Image) -> io.BytesIO:
    """As a file; TIFF takes CMYK, PNG the rest."""
    stream = io.BytesIO()
    if image.mode == "PA":  # Pillow writes no file of this mode, but reads some
        image = image.convert("RGBA")
    image.save(stream, "tiff" if image.mode == "CMYK" else "png")
    return stream


def by_timm(image: Image.Image, decoding: Decoding) -> np.ndarray:
    """The pixels of timm's evaluation transform, before normalisation, on the image laid on the background."""
    if image.mode == "I;16":
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.has_transparency_data:
        canvas = Image.new("RGBA", image.size, (*decoding.background, 255))
        image = Image.alpha_composite(canvas, image.convert("RGBA"))
    transform = create_transform(
        input_size=(3, decoding.side, decoding.side), interpolation=decoding.interpolation, mean=(0, 0, 0),
        std=(1, 1, 1), crop_pct=decoding.crop_pct, crop_mode="center",
    )  # fmt: skip
    return (transform(image.convert("RGB")).numpy() * 255).round().astype(np.uint8)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_has_the_pixels_of_timm(mode: str) -> None:
    image = picture(mode)
    pixel_CHW, seen = decode(saved(image), RGB)
    np.testing.assert_array_equal(pixel_CHW, by_timm(image, RGB))
    assert len(np.unique(pixel_CHW)) > (2 if mode == "1" else 8)
    assert (seen.width, seen.height) == (13, 9)
    assert seen.transparent == (mode in ("LA", "PA", "RGBA"))


@given(
    width=st.integers(1, 60),
    height=st.integers(1, 60),
    side=st.integers(1, 32),
    crop_pct=st.sampled_from([1.0, 0.95, 0.875, 0.5]),
    rule=st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos"]),
)
def test_every_shape_has_the_pixels_of_timm(width: int, height: int, side: int, crop_pct: float, rule: str) -> None:
    decoding = Decoding(side=side, crop_pct=crop_pct, interpolation=rule)
    image = picture("RGB", width, height)
    np.testing.assert_array_equal(decode(saved(image), decoding)[0], by_timm(image, decoding))


def test_sixteen_bits_keep_their_levels() -> None:
    ramp = Image.fromarray(np.arange(0, 65_536, 257, dtype=np.uint16).reshape(16, 16))
    for kind in ("png", "tiff"):
        stream = io.BytesIO()
        ramp.save(stream, kind)
        pixel_CHW, seen = decode(stream, Decoding(side=16, channels=1))
        np.testing.assert_array_equal(pixel_CHW.ravel(), np.arange(256))
        assert seen.mode == "I;16"


def test_floats_from_0_to_1_keep_their_levels_and_others_are_refused() -> None:
    stream = io.BytesIO()
    level_HW = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    Image.fromarray(level_HW).save(stream, "tiff")
    np.testing.assert_array_equal(decode(stream, Decoding(side=16, channels=1))[0].ravel(), np.arange(256))
    for wrong, words in ((level_HW * 2, "beyond 0 to 1"), (level_HW.astype(np.int32), "32-bit integers")):
        Image.fromarray(wrong).save(stream := io.BytesIO(), "tiff")
        with pytest.raises(UnreadableImage, match=words):
            decode(stream, RGB)


@pytest.mark.parametrize(("background", "level"), [((255, 255, 255), 255), ((0, 0, 0), 0), ((10, 20, 30), None)])
def test_transparency_shows_the_background(background: tuple[int, int, int], level: int | None) -> None:
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), (5, 5, 15, 15))
    pixel_CHW, _ = decode(saved(clear), Decoding(side=20, background=background))
    assert tuple(pixel_CHW[:, 0, 0]) == background
    assert tuple(pixel_CHW[:, 10, 10]) == (0, 0, 0)
    if level is not None:
        grey_CHW, _ = decode(saved(clear), Decoding(side=20, channels=1, background=background))
        assert grey_CHW[0, 0, 0] == level


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_one_transparent_colour_shows_the_background(mode: str) -> None:
    colour = {"P": 1, "L": 7, "RGB": (7, 8, 9)}[mode]
    image = Image.new(mode, (6, 6), colour)
    if mode == "P":
        image.putpalette([0, 0, 0, 50, 60, 70])
    stream = io.BytesIO()
    image.save(stream, "png", transparency=colour)
    pixel_CHW, seen = decode(stream, Decoding(side=6, background=(1, 2, 3)))
    assert {tuple(pixel) for pixel in pixel_CHW.reshape(3, -1).T} == {(1, 2, 3)}
    assert seen.transparent


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_upright(orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    upright = picture("RGB", 24, 16)
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(stream := io.BytesIO(), "png", exif=exif)
    pixel_CHW, seen = decode(stream, RGB)
    np.testing.assert_array_equal(pixel_CHW, by_timm(upright, RGB))
    assert (seen.width, seen.height, seen.turned) == (24, 16, orientation > 1)


@pytest.mark.parametrize("kind", ["gif", "png", "webp", "tiff"])
def test_the_first_of_several_pictures_is_read(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "green")]
    options = {"lossless": True} if kind == "webp" else {}
    frames[0].save(stream := io.BytesIO(), kind, save_all=True, append_images=frames[1:], **options)
    pixel_CHW, seen = decode(stream, RGB)
    assert tuple(pixel_CHW[:, 4, 4]) == (255, 0, 0)
    assert seen.pictures


def test_a_thread_is_no_square() -> None:
    with pytest.raises(UnreadableImage, match="30000 x 1 pixels, which are too long"):
        decode(saved(Image.new("L", (30_000, 1))), Decoding(side=128))


def bomb() -> bytes:
    """A PNG whose header promises 40,000 x 40,000 pixels."""
    chunks = {b"IHDR": struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0), b"IDAT": zlib.compress(b"")}
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks.items()
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no image of a known format"),
        (b"\x89PNG not an image", "no image of a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image of a known format"),
        (saved(picture("RGB", 60, 60)).getvalue()[:-40], "truncated"),
        (bomb(), "decompression bomb"),
        (b"\x00\x00\x00\x18ftypmp42" + b"\0" * 64, "no image of a known format"),
    ],
)
def test_what_is_no_image_is_one_reason(content: bytes, words: str) -> None:
    with pytest.raises(UnreadableImage, match=words):
        decode(io.BytesIO(content), RGB)


def test_pixels_of_this_version_stay_as_they_are() -> None:
    """Decoded sets on disk are named by the version: whoever changes a pixel raises it, and this digest with it."""
    digest = hashlib.sha256()
    for mode in ("L", "LA", "RGB", "RGBA", "CMYK", "I;16", "1"):
        for channels in (1, 3):
            digest.update(decode(saved(picture(mode)), Decoding(side=8, channels=channels))[0].tobytes())
    assert (VERSION, digest.hexdigest()[:16]) == (3, "ee8e6d63a0494a2e")


def test_files_below_a_folder(tmp_path: Path) -> None:
    for name in ("b/deep/er/2.PNG", "b/1.jpg", "a.webp", ".hidden.png", "._a.png", "notes.txt", "clip.mp4", "raw"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for folder in ("__MACOSX", ".ipynb_checkpoints"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").touch()
    (tmp_path / "link.png").symlink_to(tmp_path / "a.webp")
    (tmp_path / "lost.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "b" / "circle").symlink_to(tmp_path)
    images, skipped = image_files(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in images] == ["a.webp", "b/1.jpg", "b/deep/er/2.PNG", "link.png"]
    assert skipped == {
        "hidden": 2, "hidden folder": 2, ".txt": 1, ".mp4": 1, "without extension": 1, "broken link": 1
    }  # fmt: skip


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "x.png")
    assert image_files(tmp_path) == ([], {"no regular file": 1})


# clips ---------------------------------------------------------------------------------------------------------------


def film(pictures: int) -> list[Image.Image]:
    """Pictures that each have a level of their own in the middle."""
    frames = []
    for number in range(pictures):
        frame = Image.new("RGB", (8, 8), (20, 30, 40))
        frame.paste((10 * number, 255 - 10 * number, 0), (2, 2, 6, 6))
        frames.append(frame)
    return frames


@pytest.mark.parametrize(("kind", "lossless"), [("png", {}), ("gif", {}), ("tiff", {}), ("webp", {"lossless": True})])
def test_a_file_with_several_pictures_has_the_pixels_of_each(kind: str, lossless: dict[str, bool]) -> None:
    frames = film(5)
    frames[0].save(stream := io.BytesIO(), kind, save_all=True, append_images=frames[1:], **lossless)
    found = pictures(stream, RGB)
    assert len(found) == 5
    for pixel_CHW, frame in zip(found, frames, strict=True):
        assert np.abs(pixel_CHW.astype(int) - decode(saved(frame), RGB)[0]).max() <= 1


@given(count=st.integers(0, 40), frames=st.integers(1, 6), step=st.integers(1, 5))
def test_clips_of_an_object_share_no_picture(count: int, frames: int, step: int) -> None:
    found = [list(window) for window in windows(count, frames, step)]
    numbers = [number for window in found for number in window]
    assert len(set(numbers)) == len(numbers)
    assert all(window == [window[0] + step * k for k in range(frames)] for window in found)
    assert set(numbers) <= set(range(count))
    assert bool(found) == (count > (frames - 1) * step)
    assert step > 1 or len(found) == count // frames


def test_clips_are_cut_from_a_stream_as_from_the_whole() -> None:
    decoding = Decoding(side=1, channels=1, frames=3, step=2)
    for count in range(20):
        pixels = [np.full((1, 1, 1), number, dtype=np.uint8) for number in range(count)]
        found = [clip_DHW.ravel().tolist() for clip_DHW in clips(iter(pixels), decoding)]
        assert found == [list(window) for window in windows(count, 3, 2)]


def test_a_network_of_images_sees_the_first_picture_and_an_object_of_files_is_a_folder(tmp_path: Path) -> None:
    for number, frame in enumerate(film(11)):
        frame.save(tmp_path / f"frame{number}.png")
    frames = film(3)
    frames[0].save(tmp_path / "whole.gif", save_all=True, append_images=frames[1:])
    (tmp_path / "broken.gif").write_bytes(b"GIF89a")
    objects = dict(_objects([tmp_path, tmp_path / "frame4.png"]))
    assert set(objects) == {tmp_path, tmp_path / "whole.gif", tmp_path / "frame4.png"}
    names = [file.name for file in objects[tmp_path]]
    assert names == ["broken.gif", *(f"frame{number}.png" for number in range(11))]


def member(folder: Path) -> Path:
    """What ``predictions`` reads of a member, with a graph that is none."""
    decoding = {"side": 8, "channels": 3, "background": [255, 255, 255], "interpolation": "bicubic", "crop_pct": 1.0}
    (folder / "input.json").write_text(json.dumps({"decoding": decoding, "classes": ["a", "b"]}))
    (folder / "model.onnx").write_bytes(b"\x08\x07cut")
    Image.new("RGB", (9, 9)).save(folder / "photo.png")
    return folder


def test_a_pipe_that_is_named_is_not_waited_for(tmp_path: Path) -> None:
    folder = member(tmp_path)
    os.mkfifo(folder / "pipe.png")
    with pytest.raises(OSError, match=r"pipe.png' is no regular file"):
        list(predictions(folder, folder / "model.onnx", [folder / "pipe.png"], 5))


@pytest.mark.parametrize("content", ['{"decod', "[]", "{}", '{"decoding": {"side": 8}, "classes": []}', "\x00"])
def test_a_damaged_description_of_a_member_is_told(tmp_path: Path, content: str) -> None:
    folder = member(tmp_path)
    (folder / "input.json").write_text(content)
    with pytest.raises(DamagedMember, match=r"input.json' is damaged .*sha256sum -c SHA256SUMS"):
        list(predictions(folder, folder / "model.onnx", [folder / "photo.png"], 5))


@pytest.mark.parametrize("there", [True, False])
def test_a_damaged_graph_of_a_member_is_told(tmp_path: Path, there: bool) -> None:
    folder = member(tmp_path)
    if not there:
        (folder / "model.onnx").unlink()
    with pytest.raises(DamagedMember, match=r"model.onnx' is missing, or no graph that can be run .*sha256sum"):
        list(predictions(folder, folder / "model.onnx", [folder / "photo.png"], 5))
