"""Counting by formula: what each layer adds to the macs, parameters and activations of N networks at a time.

Convention (own, and that of the literature on efficient networks):

* macs: multiply-accumulates of convolutions, linear layers and the matrix products of attention. Normalisation,
  activation functions, pooling and additions count nothing.
* params: all trainable parameters, those of normalisation and biases included.
* activations: output elements of convolutions and linear layers (Radosavovic et al., 2020, section 3.1).
"""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What is known of one candidate without training it.

    Attributes:
        macs: multiply-accumulates for one image.
        params: trainable parameters.
        activations: output elements of convolutions and linear layers for one image.
        resolution: side of the square input image, pixels.
    """

    macs: int
    params: int
    activations: int
    resolution: int


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Statistics of N candidates; each array has the shape (N,).

    Attributes:
        macs_N, params_N, activations_N, resolution_N: as in ``Statistics``.
        features: further free facts by name (depth, share of the macs in each stage, mean kernel, ...).
    """

    macs_N: Ints
    params_N: Ints
    activations_N: Ints
    resolution_N: Ints
    features: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.macs_N)

    def take(self, rows: NDArray[Any]) -> "Counts":
        """The counts of some rows, given by number or by a boolean for each."""
        return Counts(
            macs_N=self.macs_N[rows],
            params_N=self.params_N[rows],
            activations_N=self.activations_N[rows],
            resolution_N=self.resolution_N[rows],
            features={name: value_N[rows] for name, value_N in self.features.items()},
        )

    def __getitem__(self, row: int) -> Statistics:
        return Statistics(
            macs=int(self.macs_N[row]),
            params=int(self.params_N[row]),
            activations=int(self.activations_N[row]),
            resolution=int(self.resolution_N[row]),
        )

    def costs(self) -> dict[str, Ints]:
        """The costs that limits are set on, by name."""
        return {"macs": self.macs_N, "params": self.params_N, "activations": self.activations_N}


class Tally:
    """Adds up layers. Every argument is a number or an array of shape (N,).

    Attributes:
        macs, params, activations: as in the module's convention.
    """

    def __init__(self) -> None:
        self.macs: Any = np.int64(0)
        self.params: Any = np.int64(0)
        self.activations: Any = np.int64(0)

    def add(self, *, weight: Any, positions: Any, outputs: Any, others: Any = 0, times: Any = 1) -> None:
        """``times`` layers: ``weight`` weights used at ``positions`` places, ``others`` other params."""
        self.params = self.params + (weight + others) * times
        self.macs = self.macs + weight * positions * times
        self.activations = self.activations + outputs * positions * times

    def conv(
        self,
        inputs: Any,
        outputs: Any,
        kernel: Any,
        side: Any,
        *,
        groups: Any = 1,
        bias: bool = False,
        norm: bool = True,
        times: Any = 1,
    ) -> None:
        """A square convolution whose output has ``side`` x ``side`` positions, followed by a batch norm unless told."""
        others = outputs * (int(bias) + 2 * int(norm))
        weight = kernel * kernel * (inputs // groups) * outputs
        self.add(weight=weight, positions=side * side, outputs=outputs, others=others, times=times)

    def depthwise(self, width: Any, kernel: Any, side: Any, *, times: Any = 1) -> None:
        """A depthwise convolution and its batch norm."""
        self.add(weight=kernel * kernel * width, positions=side * side, outputs=width, others=2 * width, times=times)

    def linear(self, inputs: Any, outputs: Any, *, positions: Any = 1, bias: bool = True, times: Any = 1) -> None:
        """A linear layer applied at ``positions`` places (also a 1x1 convolution without norm)."""
        others = outputs * int(bias)
        self.add(weight=inputs * outputs, positions=positions, outputs=outputs, others=others, times=times)

    def neck(self, inputs: Any, width: Any) -> Any:
        """A linear layer without bias and its batch norm, where ``width`` is not 0; how many features leave it."""
        self.add(weight=inputs * width, positions=1, outputs=width, others=2 * width)
        return width + inputs * np.equal(width, 0)

    def counts(self, resolution: Any, features: dict[str, Any]) -> Counts:
        """The totals as arrays of one shape (N,)."""
        totals = np.broadcast_arrays(
            *np.atleast_1d(self.macs, self.params, self.activations, resolution, *features.values())
        )
        macs_N, params_N, activations_N, resolution_N = (total.astype(np.int64) for total in totals[:4])
        named = zip(features, totals[4:], strict=True)
        return Counts(
            macs_N=macs_N,
            params_N=params_N,
            activations_N=activations_N,
            resolution_N=resolution_N,
            features={name: array.astype(np.float64) for name, array in named},
        )


def out_side(side: Any, kernel: Any, stride: Any, padding: Any) -> Any:
    """Side of a convolution's output."""
    return (side + 2 * padding - kernel) // stride + 1


def make_divisible(value: Any, *, divisor: int = 8, floor: float = 0.9) -> Any:
    """Nearest multiple of ``divisor``, at least one, never below ``floor`` of the value (as in timm)."""
    value = np.asarray(value)
    rounded = np.maximum(divisor, (value + divisor / 2).astype(np.int64) // divisor * divisor)
    return rounded + divisor * (rounded < floor * value)
