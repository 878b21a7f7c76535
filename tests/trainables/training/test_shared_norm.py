"""Batch statistics over workers, which here are threads that meet where processes would exchange."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.distributed as dist
from timm.layers import BatchNormAct2d
from torch import Tensor, nn

from trainables.training.shared_norm import SharedStatistics

Result = tuple[Tensor, Tensor]


class Meeting:
    """Stands in for the exchange of two workers."""

    def __init__(self) -> None:
        self._barrier = threading.Barrier(2, timeout=60)
        self._given: dict[int, Tensor] = {}

    def all_reduce(self, value: Tensor) -> None:
        parts = [torch.empty_like(value) for _ in range(2)]
        self.all_gather(parts, value)
        value.copy_(torch.stack(parts).sum(0))

    def all_gather(self, parts: list[Tensor], value: Tensor) -> None:
        self._given[threading.get_ident()] = value.clone()
        self._barrier.wait()
        for part, given in zip(parts, self._given.values(), strict=True):
            part.copy_(given)
        self._barrier.wait()


def both(work: Callable[[int], Result]) -> list[Result]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(work, (0, 1)))


@pytest.mark.parametrize("first", [7, 10])
@pytest.mark.parametrize("kind", [nn.BatchNorm2d, BatchNormAct2d])
def test_two_parts_are_normalised_as_the_whole(
    kind: type[nn.Module], first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of different sizes, also none: output, gradients, running statistics; a layer's own activation stays."""
    meeting = Meeting()
    monkeypatch.setattr(dist, "all_reduce", meeting.all_reduce)
    monkeypatch.setattr(dist, "all_gather", meeting.all_gather)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    generator = torch.Generator().manual_seed(0)
    whole, weight = (torch.randn(10, 3, 4, 4, generator=generator, dtype=torch.float64) + 5 for _ in range(2))
    parts = [slice(0, first), slice(first, 10)]
    layers = [kind(3).double() for _ in range(3)]

    def run(layer: nn.Module, rows: slice) -> Result:
        image = whole[rows].clone().requires_grad_()
        output = layer(image)
        (output * weight[rows]).sum().backward()
        assert image.grad is not None
        return output.detach(), image.grad

    def work(rank: int) -> Result:
        with SharedStatistics():
            return run(layers[rank], parts[rank])

    expected, shared = run(layers[2], slice(None)), both(work)
    for position in range(2):
        torch.testing.assert_close(torch.cat([part[position] for part in shared]), expected[position])
    gradients = [[parameter.grad for parameter in layer.parameters()] for layer in layers]
    for one, other, together in zip(*gradients, strict=True):
        assert one is not None
        assert other is not None
        torch.testing.assert_close(one + other, together)
    for layer in layers[:2]:
        torch.testing.assert_close(dict(layer.named_buffers()), dict(layers[2].named_buffers()))
        with SharedStatistics():
            torch.testing.assert_close(layer.eval()(whole), layers[2].eval()(whole))
