"""The places of an image that a caption speaks of."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.conformance.workers import together
from tests.trainables.small import batch, loss_of, network, part_of
from trainables.assess import pointing
from trainables.language.pairs import paired
from trainables.language.places import Places, shares
from trainables.language.texts import Texts
from trainables.language.tokens import tokens
from trainables.objectives import clip
from trainables.splits import Images, from_parts
from trainables.training.world import World


def directions(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def cosines(place_BPE: Tensor, text_BE: Tensor) -> Tensor:
    return torch.einsum("bpe,be->bp", place_BPE, text_BE)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 1.0])
def test_shares_of_a_caption_are_one_in_all(threshold: float) -> None:
    place_BPE, text_BE = directions(5, 9, 4), directions(5, 4, seed=1)
    share_BP = shares(cosines(place_BPE, text_BE), threshold)
    torch.testing.assert_close(share_BP.sum(dim=1), torch.ones(5))
    for place_PE, text_E, share_P in zip(place_BPE, text_BE, share_BP, strict=True):
        cosine = [float(place_E @ text_E) for place_E in place_PE]
        like = [(one - min(cosine)) / (max(cosine) - min(cosine)) for one in cosine]
        counted = [one if one >= threshold else 0.0 for one in like]
        torch.testing.assert_close(share_P, torch.tensor(counted) / sum(counted), rtol=1e-4, atol=1e-6)


def test_places_that_are_all_alike_share_evenly_and_have_gradients() -> None:
    place_BPE = directions(2, 1, 4).expand(2, 6, 4).clone().requires_grad_(True)
    share_BP = shares(cosines(place_BPE, directions(2, 4, seed=1)), 0.3)
    assert torch.equal(share_BP, torch.full((2, 6), 1 / 6))
    (share_BP[:, :, None] * place_BPE).sum().backward()  # type: ignore[no-untyped-call]
    assert place_BPE.grad is not None
    assert place_BPE.grad.isfinite().all()


@pytest.mark.parametrize("grouped_for", ["every", "own"])
def test_the_loss_of_one_caption_is_clips_of_its_places(grouped_for: str) -> None:
    places = Places(temperature=0.1, threshold=0.3, grouped_for=grouped_for)
    place_BPE, text_BE = directions(6, 9, 4), directions(6, 4, seed=1)
    score_BB = torch.empty(6, 6)
    for image, place_PE in enumerate(place_BPE):
        for text, text_E in enumerate(text_BE):
            chooses = text_BE[image] if grouped_for == "own" else text_E
            share_P = shares(place_PE @ chooses, 0.3)
            score_BB[image, text] = 10 * F.normalize(share_P @ place_PE, dim=0) @ text_E
    expected = (F.cross_entropy(score_BB, torch.arange(6)) + F.cross_entropy(score_BB.T, torch.arange(6))) / 2
    pairs = paired(directions(6, 4, seed=2), text_BE, torch.ones(6, dtype=torch.bool), torch.tensor(3.0))
    torch.testing.assert_close(places(place_BPE, [pairs, pairs], None, 1), expected, rtol=1e-5, atol=0)


def test_places_that_are_chosen_by_the_right_caption_give_it_away() -> None:
    """Where all images show every caption, the paper's loss is nearly none; grouped for every one it is of guessing."""
    text_BE = torch.eye(6)
    everything_BPE = text_BE.expand(6, 6, 6)
    pairs = paired(text_BE, text_BE, torch.ones(6, dtype=torch.bool), torch.tensor(3.0))
    own, every = (Places(temperature=0.1, threshold=0.3, grouped_for=one) for one in ("own", "every"))
    assert float(own(everything_BPE, [pairs], None, 1).detach()) < 0.01
    assert float(every(everything_BPE, [pairs], None, 1).detach()) == pytest.approx(np.log(6), rel=1e-5)


def test_the_loss_is_a_part_of_clips_and_trains_a_scale_of_its_own() -> None:
    objective = clip.objective(network("clip"), places=1.0)
    loss_of(objective, batch()).backward()  # type: ignore[no-untyped-call]
    places = objective.places
    assert isinstance(places, Places)
    assert places.log_scale.grad is not None
    assert not objective.texts.log_scale.grad.equal(places.log_scale.grad)  # type: ignore[union-attr]


def measured(world: World, knobs: Sequence[dict[str, Any]]) -> list[tuple[float, Any]]:
    """Loss, and gradient of the projection of images, of this worker's part of a batch, with each of the knobs."""
    part, results = part_of(batch(), slice(world.rank, None, world.size)), []
    for own in knobs:
        objective = clip.objective(network("clip"), places=1.0, crop=1.0, jitter=0.0, **own).eval()
        wrapped = world.wrap(objective, torch.device("cpu"))  # which must live until the gradients are averaged
        value = loss_of(wrapped, part)
        value.backward()  # type: ignore[no-untyped-call]
        results.append((float(value.detach()), objective.texts.image_projection.weight.grad.numpy().copy()))  # type: ignore[union-attr]
    return results


@pytest.mark.slow
def test_two_workers_have_the_loss_and_gradients_of_one() -> None:
    knobs: list[dict[str, Any]] = [{"grouped_for": "every"}, {"grouped_for": "own"}, {"locked": True}]
    both, alone = together(measured, knobs), measured(World(), knobs)
    for first, second, whole in zip(*both, alone, strict=True):
        assert (first[0] + second[0]) / 2 == pytest.approx(whole[0], rel=1e-5)
        np.testing.assert_allclose(first[1], second[1])
        np.testing.assert_allclose(first[1], whole[1], rtol=1e-3, atol=1e-6)


def test_running_statistics_are_those_of_images() -> None:
    body, twin = network("clip"), network("clip")
    for trained, places in ((body, 1.0), (twin, 0.0)):
        loss_of(clip.objective(trained, places=places).train(), batch())
    for (name, value), other in zip(body.named_buffers(), twin.buffers(), strict=True):
        if name.endswith(("running_mean", "running_var")):
            torch.testing.assert_close(value, other, rtol=1e-5, atol=1e-6, msg=name)


class _Bright(nn.Module):
    """Two features of each place: how bright, and one less that."""

    num_prefix_tokens, num_classes, num_features, head_hidden_size, neck_width = 0, 2, 2, 2, 0

    def forward_features(self, x: Tensor) -> Tensor:
        return torch.cat([x, 1 - x], dim=1)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        del pre_logits
        return x.mean(dim=(2, 3))


def test_what_points_at_the_object_is_right() -> None:
    """Where a caption is like what is bright, and the bright corner is the object's, or is not."""
    from trainables.deploy import Deployable

    image_NCHW = np.zeros((4, 1, 8, 8), dtype=np.uint8)
    image_NCHW[:, :, 5, 6] = 255
    box_N4 = np.array([[0.5, 0.5, 1, 1]] * 3 + [[0, 0, 0.5, 0.5]], dtype=np.float32)
    caption_NTL = np.repeat(tokens(["x"], 8)[:, None], 4, axis=0)
    fields: dict[str, Any] = {"box": box_N4, "caption": caption_NTL}
    images = Images(image_NCHW=image_NCHW, label_N=np.arange(4) % 2, fields=fields)
    body = Deployable(_Bright(), mean=[0.0], std=[1.0], resolution=8)
    texts = Texts(2, length=8, width=2, text_width=16, text_depth=1)
    with torch.no_grad():
        texts.image_projection.weight.copy_(torch.eye(2))
        texts.tower.projection_WE.zero_()
    texts.of_tokens = lambda token_NL, prefix_N=None: torch.tensor([[1.0, 0.0]]).expand(len(token_NL), 2)  # type: ignore[method-assign]
    splits = from_parts(images, images, images, ("a", "b"))
    value = {one.metric: one.value for one in pointing.assess(body.beside(texts), splits).measures}
    assert value["accuracy"] == 0.75
    assert value["by chance"] == pytest.approx(0.25)
    assert np.isnan(pointing.assess(network("clip"), splits).measures[0].value)
