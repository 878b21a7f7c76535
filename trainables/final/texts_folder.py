"""The text tower beside an exported network: weights, and two graphs with which ``predict.py`` names any labels.

``image.onnx`` takes images as ``model.onnx`` does, ``texts.onnx`` tokens of one length; both give directions in one
space, whose products times the scale in ``texts.json`` are scores.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.final.graphs import program_of, write_onnx
from trainables.language import tokens
from trainables.language.texts import Texts

DESCRIPTION, WEIGHTS, IMAGES, TEXTS = "texts.json", "texts.safetensors", "image.onnx", "texts.onnx"
TOKENS = "tokens.py"
"""From texts to tokens, which needs nothing but NumPy."""
FORMAT = 1


def write_texts(network: Deployable, texts: Texts, shape: tuple[int, int, int], folder: Path) -> None:
    """Write these files.

    Args:
        network: in evaluation mode on the CPU.
        texts: what it was pretrained with.
        shape: of a stored image, channels first, which may be of another size than the network sees.
        folder: that exists.
    """
    content = {"format": FORMAT, "sizes": texts.sizes, "scale": float(texts.scale.detach())}
    (folder / DESCRIPTION).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    shutil.copyfile(tokens.__file__, folder / TOKENS)
    save_file({name: value.contiguous() for name, value in texts.state_dict().items()}, folder / WEIGHTS)
    image_NCHW = torch.rand(2, *shape)
    _write(_Images(network, texts), image_NCHW, "image", folder / IMAGES)
    token_NL = torch.zeros(2, texts.tower.length, dtype=torch.int64)
    _write(_Tokens(texts), token_NL, "token", folder / TEXTS)


def read_texts(folder: Path) -> Texts | None:
    """The text tower in a folder; None where there is none."""
    if not (folder / DESCRIPTION).is_file():
        return None
    content: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    return Texts.unpacked({"sizes": content["sizes"], "weights": load_file(folder / WEIGHTS)})


class _Images(nn.Module):
    """From images in [0, 1] to directions."""

    def __init__(self, network: Deployable, texts: Texts) -> None:
        super().__init__()
        self.network, self.texts = network, texts

    def forward(self, image_NCHW: Tensor) -> Tensor:
        return self.texts.of_images(self.network.pooled(image_NCHW))


class _Tokens(nn.Module):
    """From whole rows of tokens to directions: a graph has one length, so that nothing is cut off."""

    def __init__(self, texts: Texts) -> None:
        super().__init__()
        self.tower = texts.tower

    def forward(self, token_NL: Tensor) -> Tensor:
        return F.normalize(self.tower.encoded(self.tower.token(token_NL), token_NL.argmax(dim=1)), dim=-1)


def _write(module: nn.Module, example: Tensor, name: str, path: Path) -> None:
    write_onnx(program_of(module.eval(), example), example, path, takes=name, gives="direction")
