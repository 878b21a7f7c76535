"""The text tower beside an exported network, and what names images by it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainables.small import network
from trainables.decoding import Decoding
from trainables.deploy import Deployable
from trainables.final import predict
from trainables.final.graphs import program_of
from trainables.final.texts_folder import _Tokens, read_texts, write_texts
from trainables.language.texts import Texts
from trainables.language.tokens import tokens
from trainables.preprocessing import Preprocessing

LABELS = ["a cat", "eine Katze", "ein Hund mit Hut"]


def texts_for(inputs: int) -> Texts:
    torch.manual_seed(3)
    return Texts(inputs, length=24, width=8, text_width=16, text_depth=2, prefixes=2).eval()


def test_a_folder_without_texts_has_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert read_texts(tmp_path) is None
    with pytest.raises(FileNotFoundError, match="--labels needs a member that was pretrained with captions"):
        predict._by_texts(tmp_path, LABELS)


def test_a_tower_with_prefixes_is_a_program_for_any_number_of_texts() -> None:
    module = _Tokens(texts_for(6)).eval()
    program = program_of(module, torch.zeros(2, 24, dtype=torch.int64)).module()
    token_NL = torch.from_numpy(tokens(LABELS, 24)).long()
    with torch.no_grad():
        torch.testing.assert_close(program(token_NL), module(token_NL))


@pytest.mark.nightly
def test_any_labels_are_named_by_the_graphs_as_by_the_towers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = Deployable(network("clip").network, mean=[0.3], std=[0.4], resolution=16).eval()  # of images of 8 pixels
    texts = texts_for(body.width)
    write_texts(body, texts, (1, 8, 8), tmp_path)
    again = read_texts(tmp_path)
    assert again is not None
    torch.testing.assert_close(again.of_texts(LABELS), texts.of_texts(LABELS), rtol=0, atol=0)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    spec = Preprocessing(decoding=Decoding(side=8, channels=1), mean=(0.3,), std=(0.4,), view=body.view)
    (tmp_path / "input.json").write_text(json.dumps({**spec.to_dict(), "classes": ["0", "1"]}))
    shutil.copyfile(predict.__file__, tmp_path / "predict.py")
    monkeypatch.setattr(predict, "__file__", str(tmp_path / "predict.py"))
    assert predict.main([str(tmp_path / "x.png"), "--json", "--labels", *LABELS]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    image_NCHW = torch.from_numpy(pixels)[None, None].float() / 255
    with torch.no_grad():
        score_K = texts.scale * texts.of_images(body.pooled(image_NCHW))[0] @ texts.of_texts(LABELS).T
    share = dict(zip(LABELS, score_K.softmax(0).tolist(), strict=True))
    assert {one["class"]: one["probability"] for one in answer["classes"]} == pytest.approx(share, abs=1e-5)
