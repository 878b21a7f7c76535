"""Objectives against closed forms and the formulas of their papers."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.trainables.small import batch, few_labels, loss_of, network, pretrained
from trainables.objectives import rotation, simclr, simmim, spark, swav
from trainables.objectives._masked_convolution import masked, visible_at
from trainables.objectives._views import placed_view, random_mask
from trainables.training.building import build


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_simclrs_loss_is_half_the_papers_sum() -> None:
    """Of cross-entropies with the other view of the image among all views of other images."""
    objective = simclr.objective(network("simclr"), temperature=0.5).eval()
    first, second = F.normalize(objective.get_submodule("head")(pooled_views(objective, 0.3, 0.4))).detach().chunk(2)
    own = 1e9 * torch.eye(8)
    ab, ba = first @ second.T / 0.5, second @ first.T / 0.5
    aa, bb = first @ first.T / 0.5 - own, second @ second.T / 0.5 - own
    label = torch.arange(8)
    both = F.cross_entropy(torch.cat([ab, aa], 1), label) + F.cross_entropy(torch.cat([ba, bb], 1), label)
    assert float(objective(batch(), generator()).detach()) == pytest.approx(float(both) / 2, rel=1e-5)


def test_simclrs_memory_holds_the_keys_of_earlier_images() -> None:
    """Each image is told from the keys of all others and of earlier ones; the keys come from a network that follows."""
    objective = simclr.objective(network("simclr"), memory=12, momentum=0.5).train()
    key_BE, own_BE = F.normalize(torch.randn(3, 4)), F.normalize(torch.randn(3, 4))
    earlier_QE = F.normalize(torch.randn(5, 4))
    score = torch.cat([own_BE @ key_BE.T, own_BE @ earlier_QE.T], 1) / 0.2
    expected = -(score.diagonal() - score.logsumexp(1)).mean()
    assert float(simclr.among_all(own_BE, key_BE, earlier_QE, 0.2)) == pytest.approx(float(expected), rel=1e-5)
    start = objective.queue.row_QE.clone()
    weight = next(objective.network.parameters())
    loss_of(objective, batch()).backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert torch.equal(objective.queue.row_QE[8:], start[:4])
    assert torch.allclose(objective.queue.row_QE[:8].norm(dim=1), torch.ones(8), atol=1e-5)
    with torch.no_grad():
        weight.add_(1.0)
    followed = next(objective.keys.copies.parameters()).clone()
    loss_of(objective, batch())
    assert torch.allclose(next(objective.keys.copies.parameters()), followed + 0.5, atol=1e-6)
    assert simclr.passes(memory=12) < simclr.passes() == 2


def pooled_views(objective: nn.Module, crop: float, jitter: float) -> torch.Tensor:
    """Pooled features of two views of each image of the batch."""
    draw = generator()
    views = [placed_view(batch().image_BCHW, draw, crop=crop, jitter=jitter, flip=0.0)[0] for _ in range(2)]
    features: torch.Tensor = objective.get_submodule("network").pooled(torch.cat(views))  # type: ignore[operator]
    return features


@pytest.mark.parametrize("layers", [2, 3])
def test_a_neck_is_the_first_layer_of_simclrs_projection(layers: int) -> None:
    """The same loss as the same layers all above the network; what fine-tuning then sees has been through the first."""
    base = pretrained("simclr")
    without, with_neck = (
        build(replace(base, architecture={**base.architecture, "neck": neck}), few_labels()) for neck in (0, 64)
    )
    whole, after_neck = (simclr.objective(body, layers=layers, width=64) for body in (without, with_neck))
    own = {name: value for name, value in without.state_dict().items() if "classifier" not in name}
    with_neck.load_state_dict(own, strict=False)
    first, rest = whole.head.layers[:3], whole.head.layers[3:]
    with_neck.network.neck.load_state_dict(first.state_dict())
    after_neck.head.layers.load_state_dict(nn.Sequential(*rest).state_dict())
    losses = [objective.train()(batch(), generator()) for objective in (whole, after_neck)]
    assert float(losses[1].detach()) == pytest.approx(float(losses[0].detach()), rel=1e-6)
    image = batch().image_BCHW
    assert torch.allclose(with_neck.eval().pooled(image), first.eval()(without.eval().pooled(image)), atol=1e-6)
    with pytest.raises(ValueError, match=r"a projection has 0, 1 or more layers"):
        simclr.objective(without, layers=-1)


def test_swavs_loss_is_the_swapped_prediction_of_the_papers_codes() -> None:
    objective = swav.objective(network("swav"), prototypes=5, temperature=0.1, epsilon=0.05, rounds=3).eval()
    projected = F.normalize(objective.get_submodule("head")(pooled_views(objective, 0.6, 0.2)))
    prototypes = F.normalize(objective.get_submodule("prototypes").weight)
    scores = (projected @ prototypes.T).detach().chunk(2)
    predicted = [(score / 0.1).log_softmax(1) for score in scores]
    cross = [-(code_of(scores[one]) * predicted[other]).sum(1).mean() for one, other in ((0, 1), (1, 0))]
    assert float(objective(batch(), generator()).detach()) == pytest.approx(float(sum(cross)) / 2, rel=1e-5)


def code_of(score_BP: torch.Tensor) -> torch.Tensor:
    """Prototypes are used equally, over the batch, and each image is assigned once."""
    code_PB = (score_BP / 0.05).exp().T
    code_PB = code_PB / code_PB.sum()
    for _ in range(3):
        code_PB = code_PB / code_PB.sum(1, keepdim=True) / len(code_PB)
        code_PB = code_PB / code_PB.sum(0, keepdim=True) / len(score_BP)
    return (code_PB * len(score_BP)).T


@pytest.mark.parametrize("hidden", [0, 2, 10, 16])
def test_a_mask_hides_the_same_number_of_units_in_each_image(hidden: int) -> None:
    number = random_mask(5, 4, hidden, generator()).sum(dim=(1, 2, 3))
    assert set(number.tolist()) == {min(max(1, hidden), 15)}


@pytest.mark.parametrize(("share", "hidden"), [(0.4, 7), (0.6, 10), (0.75, 12)])
def test_simmim_hides_a_share_rounded_up(monkeypatch: pytest.MonkeyPatch, share: float, hidden: int) -> None:
    """Of 16 tokens; rounded to the nearest, .4 of them would be 6."""
    numbers = []

    def noted(*arguments: Any) -> torch.Tensor:
        numbers.append(arguments[2])
        return random_mask(*arguments)

    monkeypatch.setattr(simmim, "random_mask", noted)
    objective = simmim.objective(network("simmim"), masked=share)
    loss_of(objective, batch())
    assert objective._side == 4
    assert numbers == [hidden]


def test_simmim_reads_hidden_pixels_only() -> None:
    hidden = random_mask(3, 8, 38, generator())
    target = torch.rand(3, 2, 8, 8, generator=generator(1))
    predicted = torch.rand(3, 2, 8, 8, generator=generator(2)).requires_grad_()
    loss = simmim.masked_error(predicted, target, hidden)
    loss.backward()  # type: ignore[no-untyped-call]
    assert predicted.grad is not None
    shown = ~hidden.expand(3, 2, 8, 8)
    assert predicted.grad[shown].abs().max() == 0
    assert float(loss.detach()) == pytest.approx(float((predicted - target).detach().abs()[~shown].mean()), rel=1e-5)


@pytest.mark.parametrize("sealed", [True, False])
def test_a_sealed_simmim_sees_no_hidden_pixel(sealed: bool) -> None:
    """TinyViT's patches overlap, so unsealed the visible tokens are made of hidden pixels too."""
    objective = simmim.objective(network("simmim"), sealed=sealed).eval()
    image, hidden = batch().image_BCHW, random_mask(8, 4, 10, generator())
    other = torch.where(F.interpolate(hidden.float(), size=(8, 8)) > 0, 1 - image, image)
    # Resized as the network sees them, so that no pixel between two stored ones is of both.
    seen, changed = (F.interpolate(shown, size=(16, 16)) for shown in (image, other))
    first, second = (objective.encoded(shown, hidden) for shown in (seen, changed))
    assert torch.equal(first, second) is sealed


def test_simmim_watches_its_error_beside_that_of_the_mean() -> None:
    objective = simmim.objective(network("simmim"))
    optimizer = torch.optim.AdamW([p for p in objective.parameters() if p.requires_grad], lr=3e-3)
    image = batch().image_BCHW * torch.linspace(0, 2, 8)[None, None, None] / 2  # dark at the left: there is a pattern
    ratios = []
    for step in range(60):
        loss = loss_of(objective, replace(batch(), image_BCHW=image), step)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        ratios += [objective.watched()["error_over_mean"]]
    assert np.mean(ratios[-10:]) < 0.95 < np.mean(ratios[:3])
    assert objective.trouble({"error_over_mean": 2.0}) is None


def test_spark_with_nothing_hidden_is_the_dense_network() -> None:
    dense = network("spark").network
    x = torch.rand(4, 1, 8, 8, generator=generator())
    for training in (True, False):
        dense.train(training)
        expected = dense.forward_features(x)  # type: ignore[operator]
        with masked(dense, torch.ones(4, 1, 4, 4, dtype=torch.bool)):
            sparse = dense.forward_features(x)  # type: ignore[operator]
        assert torch.allclose(sparse, expected, atol=1e-5)
    assert "forward" not in vars(dense.bn1)


def test_spark_sees_no_hidden_pixel() -> None:
    objective = spark.objective(network("spark"))
    hidden = random_mask(8, 4, 10, generator())
    image = batch().image_BCHW
    other = torch.where(visible_at(~hidden, 8, 8) > 0, image, 1 - image)
    maps, changed = (objective.maps(shown, ~hidden) for shown in (image, other))  # type: ignore[operator]
    for first, second in zip(maps, changed, strict=True):
        assert torch.equal(first, second)
        empty = visible_at(~hidden, *first.shape[-2:]).expand_as(first) == 0
        assert first[empty].abs().sum() == 0
    dense = zip(objective.maps(image, None), objective.maps(other, None), strict=True)  # type: ignore[operator]
    assert not any(torch.equal(first, second) for first, second in dense)


def test_sparks_batch_statistics_are_those_of_visible_positions() -> None:
    norm = torch.nn.BatchNorm2d(3, momentum=1.0)
    x = torch.rand(4, 3, 4, 4, generator=generator())
    hidden = random_mask(4, 4, 10, generator())
    with masked(torch.nn.Sequential(norm), ~hidden):
        norm(x)
    visible = x.permute(0, 2, 3, 1)[~hidden[:, 0]]
    assert norm.running_mean is not None
    assert torch.allclose(norm.running_mean, visible.mean(0), atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_sparks_target_is_normalised_within_each_patch(channels: int) -> None:
    """Over pixels and channels together, by the unbiased deviation, patch by patch."""
    contrast = torch.tensor([1.0, 0.2, 3.0])[:channels, None, None]
    image = torch.rand(2, channels, 8, 8, generator=generator()) * contrast + contrast
    painted = torch.rand(2, channels, 8, 8, generator=generator(1))
    hidden = random_mask(2, 4, 8, generator())

    def patches(x: torch.Tensor) -> torch.Tensor:
        return x.reshape(2, channels, 4, 2, 4, 2).permute(0, 2, 4, 1, 3, 5).reshape(2, 16, -1)

    seen = patches(image)
    target = (seen - seen.mean(-1, keepdim=True)) / (seen.var(-1, keepdim=True) + 1e-6).sqrt()
    expected = ((patches(painted) - target) ** 2).mean(-1)[hidden.flatten(1)].mean()
    assert float(spark.patch_error(painted, image, hidden)) == pytest.approx(float(expected), rel=1e-5)
    first, second = (spark.patch_error(painted, shown, hidden) for shown in (image, 3 * image + 1))
    assert float(first) == pytest.approx(float(second), rel=1e-3)


def test_rotation_is_the_mean_cross_entropy_of_four_quarter_turns() -> None:
    objective = rotation.objective(network("rotation")).eval()
    head, body, images = objective.get_submodule("head"), network("rotation").eval(), batch()
    with torch.no_grad():
        expected = []
        for turn in range(4):
            image = torch.from_numpy(np.rot90(images.image_BCHW.numpy(), turn, axes=(2, 3)).copy())
            expected += (-head(body.pooled(image)).log_softmax(1)[:, turn]).tolist()
        assert float(objective(images, generator())) == pytest.approx(float(np.mean(expected)), rel=1e-5)
        for parameter in head.parameters():
            parameter.zero_()
        assert float(objective(images, generator())) == pytest.approx(math.log(4))


def test_symmetric_images_teach_nothing_about_turns() -> None:
    body = network("rotation")
    objective = rotation.objective(body).eval()
    blank = replace(batch(), image_BCHW=torch.full((8, 1, 8, 8), 0.3))
    objective(blank, generator()).backward()
    bias = objective.get_parameter("head.bias").grad
    assert bias is not None
    with torch.no_grad():
        share = objective.get_submodule("head")(body.pooled(blank.image_BCHW)).softmax(1)[0]
    assert torch.allclose(bias, share - 0.25, atol=1e-6)


def test_rotation_takes_images_that_are_not_square() -> None:
    objective = rotation.objective(network("rotation")).eval()
    wide = replace(batch(), image_BCHW=torch.rand(8, 1, 6, 12, generator=generator()))
    assert float(objective(wide, generator()).detach()) > 0
