"""A network as a program and as an ONNX file, for any number of rows, that say nothing of this machine."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import Tensor, nn
from torch.export import ExportedProgram

log = logging.getLogger(__name__)

SHAPES = ({0: torch.export.Dim("batch")},)
"""Of the one input: its first dimension is free."""


@contextmanager
def warnings_to_log() -> Iterator[None]:
    """The exporters warn about their own deprecations, which a user can do nothing about."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        log.debug("exporter: %s", warning.message)


def program_of(module: nn.Module, example: Tensor) -> ExportedProgram:
    """What a module in evaluation mode computes of such an input; its activations are no longer in place afterwards."""
    for part in module.modules():
        # The ONNX exporter takes an activation in place apart into its arithmetic, symbol by symbol, and the optimizer
        # puts it together again: the same graph in twice the time.
        if hasattr(part, "inplace"):
            cast(Any, part).inplace = False
    with warnings_to_log(), torch.no_grad():
        program = torch.export.export(module, (example,), dynamic_shapes=SHAPES)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine's files are nobody else's business
    return program


def write_onnx(program: ExportedProgram, example: Tensor, path: Path, *, takes: str, gives: str) -> None:
    """Write a program as an ONNX file.

    Args:
        program: of ``program_of``.
        example: its input.
        path: of the file.
        takes, gives: names of input and output.

    Raises:
        RuntimeError: the exporter returned nothing.
    """
    with warnings_to_log(), torch.no_grad():
        graph = torch.onnx.export(
            program, (example,), input_names=[takes], output_names=[gives], dynamic_shapes=SHAPES,
            dynamo=True, verbose=False,
        )  # fmt: skip
    if graph is None:
        raise RuntimeError("the ONNX exporter returned nothing")
    ClearMetadataAndDocStringPass()(graph.model)
    graph.save(path, external_data=False)
