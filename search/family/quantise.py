"""Post-training static quantisation of an exported graph to 8-bit integers, by ONNX Runtime."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    """Batches of images in the form that ONNX Runtime asks for."""

    def __init__(self, batches: Iterable[NDArray[np.float32]]) -> None:
        self._batches: Iterator[NDArray[np.float32]] = iter(batches)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        images = next(self._batches, None)
        return None if images is None else {"image": images}


def quantise(source: Path, target: Path, batches: Iterable[NDArray[np.float32]]) -> None:
    """Write an 8-bit copy of a graph: weights per channel, activations by the range that they take on the images.

    Args:
        source: ONNX file with the input ``image``.
        target: ONNX file to write; quantise and dequantise pairs around float operators, which every runtime reads.
        batches: images for the ranges, (N, C, H, W) in [0, 1]; training images, as those of the test must not be used.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared))
        quantize_static(
            str(prepared),
            str(target),
            _Batches(batches),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
        )
