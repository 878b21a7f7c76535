"""UniFormer's clip form beside its image form: counts, weights, what it sees of time, and its way into files."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from search.family.export import compare, write_graphs
from search.family.folder import InputSpec
from tests.trainables.backbones.test_uniformer import SMALL
from trainables.backbones import _uniformer, uniformer
from trainables.backbones._frames import unstacked
from trainables.counting.tracing import trace
from trainables.decoding import Decoding
from trainables.deploy import Deployable
from trainables.objectives import simmim
from trainables.plan import Batch

CLIP: dict[str, Any] = SMALL | {"channels": 12, "frames": 4}


def clips(count: int = 2, channels: int = 12) -> torch.Tensor:
    return torch.rand(count, channels, 8, 8, generator=torch.Generator().manual_seed(0))


def built(**change: Any) -> Deployable:
    torch.manual_seed(0)
    body = uniformer.build(**CLIP | change)
    return Deployable(body, mean=[0.5] * 12, std=[0.5] * 12, resolution=8)


def test_channels_are_one_frame_after_another() -> None:
    clip_NDHW = clips(channels=6)
    assert torch.equal(unstacked(clip_NDHW, 2)[:, :, 1], clip_NDHW[:, 3:])


@pytest.mark.parametrize("stem", ["patch", "conv"])
@pytest.mark.parametrize("frames", [2, 3, 4])
@pytest.mark.parametrize("stride", [1, 2])
def test_counts_are_those_of_a_trace(stem: str, frames: int, stride: int) -> None:
    keywords = CLIP | {"stem": stem, "frames": frames, "stem_stride": stride, "local_kernel": 5}
    counts = uniformer.cost(**keywords)[0]
    assert trace(uniformer.build(**keywords), channels=12, resolution=8) == counts


@pytest.mark.parametrize("stem", ["patch", "conv"])
def test_one_frame_in_the_clip_form_is_the_image_form(stem: str) -> None:
    """Of a kernel over time only the middle meets a frame that is alone."""
    torch.manual_seed(0)
    of_clips = uniformer.build(**SMALL | {"stem": stem, "channels": 2, "frames": 2}).eval()
    of_images = uniformer.build(**SMALL | {"stem": stem}).eval()
    weights = of_clips.state_dict()
    assert weights.keys() == of_images.state_dict().keys()
    of_images.load_state_dict(
        {name: value[:, :, value.shape[2] // 2] if value.ndim == 5 else value for name, value in weights.items()}
    )
    of_clips._frames = 1  # type: ignore[assignment]
    with torch.no_grad():
        image = clips(channels=1)
        torch.testing.assert_close(of_clips(image), of_images(image), atol=1e-5, rtol=0)
        for clip_map, image_map in zip(
            of_clips.forward_intermediates(image)[1], of_images.forward_intermediates(image)[1], strict=True
        ):
            torch.testing.assert_close(clip_map, image_map, atol=1e-5, rtol=0)


@pytest.mark.parametrize("block", ["local", "global"])
def test_blocks_see_neighbouring_frames_and_all_frames(block: str) -> None:
    torch.manual_seed(0)
    one = (
        _uniformer.Local(8, 3, 2.0, 0.0, clip=True)
        if block == "local"
        else _uniformer.Global(8, 8, 2.0, 0.0, clip=True)
    )
    first = torch.rand(1, 8, 7, 5, 5, generator=torch.Generator().manual_seed(1))
    second = first.clone()
    second[:, :, 0, 0, 0] += 1
    with torch.no_grad():
        changed_T = (one.eval()(first) != one(second)).any(dim=1)[0].any(dim=(1, 2))
    assert changed_T.tolist() == [True] * 3 + [block == "global"] * 4


def test_the_order_of_frames_matters() -> None:
    network = built().eval()
    forwards = clips()
    backwards = unstacked(forwards, 4).flip(2).transpose(1, 2).flatten(1, 2)
    with torch.no_grad():
        assert not torch.allclose(network(forwards), network(backwards), atol=1e-4)


def test_maps_are_of_places_and_the_last_is_what_the_classifier_reads() -> None:
    network = built().eval()
    body: Any = network.network
    with torch.no_grad():
        last, maps = body.forward_intermediates(clips())
        assert [tuple(one.shape) for one in maps] == [(2, 8, 8, 8), (2, 16, 4, 4)]
        assert torch.equal(last, body.forward_features(clips()))
        assert torch.equal(maps[-1], last)


def test_masked_pretraining_hides_the_same_places_of_all_frames() -> None:
    network = built().train()
    objective = simmim.objective(network)
    loss = objective(Batch(image_BCHW=clips(4), target_BK=torch.zeros(4, 10)), torch.Generator().manual_seed(0))
    loss.backward()
    assert torch.isfinite(loss)
    idle = [name for name, part in objective.named_parameters() if part.requires_grad != (part.grad is not None)]
    assert idle == []


def test_exports_give_its_scores(tmp_path: Path) -> None:
    network = built().eval()
    _settle(network)
    spec = InputSpec(
        preprocessing=network.preprocessing(Decoding(side=8, channels=12)), classes=tuple(map(str, range(10)))
    )
    write_graphs(network, spec, tmp_path)
    compare(network, spec, tmp_path)  # raises where the scores of a file differ


def _settle(network: nn.Module) -> None:
    """Statistics of batch norms other than those they begin with, so that an export that lost them would differ."""
    with torch.no_grad():
        network.train()(clips(8))
        network.eval()
