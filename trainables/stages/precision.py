"""Mixed precision: forward passes in bfloat16 with weights, optimizer and evaluation in float32 (``torch.autocast``).

bfloat16 has the range of float32, so that no loss has to be scaled.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]


def resolved(precision: Precision, device: torch.device) -> Precision:
    """``auto`` is bfloat16 on a GPU that computes in it, and float32 on all else; the others are as they are."""
    if precision != "auto":
        return precision
    native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if native else "float32"


def mixed(precision: Precision, device: torch.device) -> AbstractContextManager[Any]:
    """The context of a training's forward passes."""
    if resolved(precision, device) == "float32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)
