"""Encoders that see a part of the tokens: MAE, CAE, CroCo and Selfie."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.trainables.small import batch, few_labels, loss_of, network, pretrained, transformer
from trainables.batches.fields import FieldError
from trainables.batches.order import Grouped
from trainables.data import digits
from trainables.deploy import Deployable
from trainables.joint import JointError, load
from trainables.objectives import cae, croco, mae, selfie
from trainables.objectives._patches import at, normalised, painted, patches
from trainables.objectives._visible import encoded, grid_of, in_blocks, scattered, split
from trainables.training.trial import Task, trial


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sixteen(count: int = 4, seed: int = 1) -> torch.Tensor:
    """Images of the side that the networks here see, so that no stored pixel is of two patches."""
    return torch.rand(count, 1, 16, 16, generator=generator(seed))


def with_classes(pooling: str, registers: int = 0) -> Deployable:
    torch.manual_seed(0)
    body = transformer("vit", pooling=pooling, registers=registers)
    return Deployable(body, mean=[0.3], std=[0.4], resolution=16)


def random_split(hidden: int = 12, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    grid = grid_of(network("mae"), "a test")
    return scattered(4, grid, hidden, generator(seed))


def other_at(image: torch.Tensor, place_BM: torch.Tensor) -> torch.Tensor:
    """The images with other pixels at some patches."""
    rows = patches(image, 4)
    changed = rows.scatter(1, place_BM[:, :, None].expand(-1, -1, 16), 1 - at(rows, place_BM))
    return painted(changed, 4, 16)


def test_patches_and_images_are_each_others_inverse() -> None:
    image = torch.rand(2, 3, 10, 10)
    rows = patches(image, 4)
    assert rows.shape == (2, 9, 48)
    assert torch.equal(painted(rows, 4, 10), image)
    assert torch.equal(rows[0, 1].reshape(3, 4, 4), image[0, :, 0:4, 4:8])


def test_predicting_the_mean_of_a_patch_costs_its_share_of_the_unbiased_variance() -> None:
    target = normalised(torch.randn(50, 4, 16, generator=generator()))
    assert float(target.square().mean()) == pytest.approx(1 - 1 / 16, abs=1e-4)
    assert normalised(torch.ones(1, 1, 16)).abs().max() == 0


@pytest.mark.parametrize(("pooling", "registers"), [("mean", 0), ("token", 0), ("token", 4)])
def test_an_encoder_that_sees_all_is_the_network(pooling: str, registers: int) -> None:
    body = with_classes(pooling, registers).eval()
    image, everywhere = sixteen(), torch.arange(16).expand(4, 16)
    assert torch.equal(encoded(body, image, everywhere), body.features(image))
    assert torch.equal(encoded(body, image), body.features(image))


@pytest.mark.parametrize("pooling", ["mean", "token"])
def test_an_encoder_sees_nothing_of_hidden_patches(pooling: str) -> None:
    body, (shown, hidden) = with_classes(pooling).eval(), random_split()
    image = sixteen().requires_grad_()
    tokens = encoded(body, image, shown)
    assert tokens.shape == (4, 4 + (pooling == "token"), 32)
    tokens.square().sum().backward()  # type: ignore[no-untyped-call]
    assert image.grad is not None
    touched = patches(image.grad, 4).abs().sum(-1)
    assert at(touched[:, :, None], hidden).abs().max() == 0
    assert at(touched[:, :, None], shown).abs().min() > 0
    assert torch.equal(encoded(body, other_at(image.detach(), hidden), shown), tokens.detach())


@pytest.mark.parametrize("draw", [scattered, in_blocks])
@pytest.mark.parametrize("hidden", [0, 1, 8, 15, 16])
def test_masks_hide_their_number_exactly(draw: Callable[..., Any], hidden: int) -> None:
    shown, hid = draw(50, grid_of(network("mae"), "a test"), hidden, generator())
    number = min(max(1, hidden), 15)
    assert (shown.shape, hid.shape) == ((50, 16 - number), (50, number))
    both = torch.cat([shown, hid], 1).sort(1).values
    assert torch.equal(both, torch.arange(16).expand(50, 16))


def test_blocks_are_more_together_than_scattered_places() -> None:
    grid = grid_of(network("mae"), "a test")

    def neighbours(draw: Callable[..., Any]) -> float:
        hidden = torch.zeros(200, 16).scatter(1, draw(200, grid, 8, generator())[1], 1.0).unflatten(1, (4, 4))
        return float((hidden[:, 1:] * hidden[:, :-1]).sum() + (hidden[:, :, 1:] * hidden[:, :, :-1]).sum())

    assert neighbours(in_blocks) > 1.2 * neighbours(scattered)


def test_maes_loss_is_that_of_the_paper() -> None:
    objective = mae.objective(network("mae"), masked=0.75).eval()
    image = replace(batch(4), image_BCHW=sixteen())
    shown, hidden = random_split()
    target = normalised(patches((sixteen() - 0.3) / 0.4, 4))
    predicted = objective.predicted(sixteen(), shown)
    errors = [(predicted[row, place] - target[row, place]).square().mean() for row in range(4) for place in hidden[row]]
    assert len(errors) == 48
    assert float(loss_of(objective, image).detach()) == pytest.approx(
        float(torch.stack(errors).mean().detach()), rel=1e-5
    )


def test_maes_prediction_of_hidden_patches_does_not_know_them() -> None:
    objective, (shown, hidden) = mae.objective(network("mae")).eval(), random_split()
    changed = other_at(sixteen(), hidden)
    assert not torch.equal(changed, sixteen())
    assert torch.equal(objective.predicted(sixteen(), shown), objective.predicted(changed, shown))


def test_caes_decoder_sees_the_guess_alone() -> None:
    """The derivative of its output by the kept latents is zero, given the guess; the guess depends on them."""
    objective, (shown, hidden) = cae.objective(network("cae"), alignment=0.0).eval(), random_split()
    nn.init.normal_(objective.regressor.predict.weight)
    latents = encoded(objective.network, sixteen(), shown).detach().requires_grad_()
    guess = objective.regressor.guessed(latents, shown, hidden)
    held = guess.detach().requires_grad_()
    objective.regressor.predicted(held, hidden).sum().backward()
    assert latents.grad is None
    assert held.grad is not None
    guess.sum().backward()
    assert latents.grad is not None
    assert latents.grad.abs().sum() > 0


def test_caes_alignment_is_to_the_encoders_own_latents_without_gradient() -> None:
    objective, (shown, hidden) = (
        cae.objective(network("cae"), block=False, alignment=2.0).train(),
        random_split(hidden=8),
    )
    image = replace(batch(4), image_BCHW=sixteen())
    target = objective.latents(sixteen(), hidden)
    assert not target.requires_grad
    assert torch.equal(target, encoded(objective.network.eval(), sixteen(), hidden).detach())
    guess = objective.regressor.guessed(encoded(objective.network, sixteen(), shown), shown, hidden)
    expected = normalised(at(patches((sixteen() - 0.3) / 0.4, 4), hidden)).square().mean()  # a zero last layer
    expected = expected + 2.0 * F.mse_loss(F.layer_norm(guess, (32,)), F.layer_norm(target, (32,)))
    assert float(loss_of(objective, image).detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    assert objective.network.training is False


def test_caes_codes_begin_at_the_logarithm_of_their_number() -> None:
    torch.manual_seed(0)
    objective = cae.objective(network("cae"), target="codes", codes=32, alignment=0.0)
    assert float(loss_of(objective, batch()).detach()) == pytest.approx(math.log(32), rel=1e-6)
    patch = torch.rand(2, 3, 16)
    project, code = objective.goal.project_PE, objective.goal.code_KE
    nearest = (F.normalize(patch @ project, dim=-1)[:, :, None] - code).square().sum(-1).argmin(-1)
    assert torch.equal(objective.goal.code(patch), nearest)


def test_crocos_loss_is_that_of_the_paper() -> None:
    """Of int(.9 n) hidden patches."""
    objective = croco.objective(network("croco")).eval()
    first, second = sixteen(), sixteen(seed=2)
    shown, hidden = random_split(hidden=int(0.9 * 16))
    tokens, other = encoded(objective.network, first, shown), encoded(objective.network, second)
    predicted = at(objective.decoder.completed(tokens, shown, other), hidden)
    target = at(normalised(patches((first - 0.3) / 0.4, 4)), hidden)
    loss = objective.error(first, second, generator()).detach()
    assert hidden.shape == (4, 14)
    assert float(loss) == pytest.approx(float((predicted - target).square().mean(-1).mean().detach()), rel=1e-5)


def test_crocos_decoder_is_maes_where_nothing_is_read_of_the_other_image() -> None:
    objective, plain = croco.objective(network("croco")).eval(), mae.objective(network("mae")).eval()
    shown, _ = random_split()
    for pair, block in zip(objective.decoder.pair_blocks, plain.decoder.blocks, strict=True):
        nn.init.zeros_(pair.cross.cross.project.weight)
        nn.init.zeros_(pair.cross.cross.project.bias)
        query, key_and_value = pair.attention.query, pair.attention.key_and_value
        block.attn.qkv.weight.data = torch.cat([query.weight, key_and_value.weight]).detach()
        block.attn.qkv.bias.data = torch.cat([query.bias, key_and_value.bias]).detach()
        block.attn.proj.load_state_dict(pair.attention.project.state_dict())
        block.norm1.load_state_dict(pair.norm.state_dict())
        block.norm2.load_state_dict(pair.cross.norm_mlp.state_dict())
        block.mlp.load_state_dict(pair.cross.mlp.state_dict())
    shared = {
        name: value for name, value in objective.decoder.state_dict().items() if not name.startswith("pair_blocks")
    }
    plain.decoder.load_state_dict(shared, strict=False)
    tokens = encoded(objective.network, sixteen(), shown)
    completed = objective.decoder.completed(tokens, shown, encoded(objective.network, sixteen(seed=2)))
    assert torch.allclose(completed, plain.decoder(tokens, shown), atol=1e-5)


def test_the_other_image_reaches_croco_through_the_decoder_alone() -> None:
    objective = croco.objective(network("croco")).eval()
    second = sixteen(seed=2).requires_grad_()
    objective.error(sixteen(), second, generator()).backward()
    assert second.grad is not None
    assert second.grad.abs().sum() > 0
    for pair in objective.decoder.pair_blocks:
        nn.init.zeros_(pair.cross.cross.project.weight)
    second.grad = None
    objective.error(sixteen(), second, generator()).backward()
    assert second.grad is not None
    assert second.grad.abs().sum() == 0


def test_croco_completes_images_of_a_group_from_each_other() -> None:
    objective = croco.objective(network("croco"), pairs="group")
    assert objective.order == Grouped(per=2)
    assert croco.objective(network("croco")).order is None
    first, second = objective.pairs_of(batch(4), generator())
    assert torch.equal(first, batch(4).image_BCHW)
    assert torch.equal(second, batch(4).image_BCHW[[1, 0, 3, 2]])
    task = Task(candidate=pretrained("croco", **{"croco.pairs": "group"}), epochs=2, seed=0)
    with pytest.raises(FieldError, match="reads the field group"):
        next(iter(trial(task, few_labels())))
    images = few_labels().train
    grouped = replace(few_labels(), pool=replace(images, fields={"group": np.arange(len(images)) // 2}))
    assert next(iter(trial(task, grouped))).loss < 2


def test_selfies_loss_is_the_cross_entropy_of_its_scores() -> None:
    objective = selfie.objective(network("selfie"), grid=4, masked=0.6).eval()
    vectors = objective.vectors(batch().image_BCHW)
    shown, hidden = split(hidden_places(10))
    score = objective.scores(vectors, shown, hidden).log_softmax(-1)
    expected = -score.diagonal(dim1=1, dim2=2).mean()
    assert score.shape == (8, 10, 10)
    assert float(loss_of(objective, batch()).detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


def hidden_places(hidden: int) -> torch.Tensor:
    """Of eight images, as ``loss_of`` draws them."""
    return torch.rand(8, 16, generator=generator()).argsort(dim=1).argsort(dim=1) < hidden


def test_selfies_scores_follow_their_patches() -> None:
    objective = selfie.objective(network("selfie")).eval()
    vectors = objective.vectors(batch().image_BCHW)
    shown, hidden = split(hidden_places(10))
    order = torch.randperm(10, generator=generator())
    assert torch.allclose(
        objective.scores(vectors, shown, hidden[:, order]),
        objective.scores(vectors, shown, hidden)[:, order][:, :, order],
        atol=1e-6,
    )
    nn.init.zeros_(objective.query.weight)
    nn.init.zeros_(objective.query.bias)
    assert float(loss_of(objective, batch()).detach()) == pytest.approx(math.log(10), rel=1e-6)


def test_selfie_sees_each_patch_alone() -> None:
    objective = selfie.objective(network("selfie"), grid=2).eval()
    image = torch.rand(1, 1, 8, 8)
    changed = image.clone()
    changed[:, :, :4, 4:] = 0.0
    same = (objective.vectors(image) == objective.vectors(changed)).all(-1)
    assert same.tolist() == [[True, False, True, True]]


@pytest.mark.parametrize("name", ["mae", "cae", "croco"])
def test_networks_that_need_all_tokens_are_refused(name: str) -> None:
    with pytest.raises(
        ValueError, match=rf"objective '{name}' leaves tokens out, which TinyVit cannot; use a backbone"
    ):
        load(name).objective(network("simmim"))


@pytest.mark.parametrize(
    ("name", "knobs", "message"),
    [
        ("mae", {"masked": 1.0}, r"a share of the tokens between 0 and 1, given 1.0"),
        ("mae", {"decoder_width": 40}, r"a decoder's width is a multiple of 16, given 40"),
        ("cae", {"target": "words"}, r"target is pixels or codes"),
        ("cae", {"alignment": -1.0}, r"alignment 0 or more"),
        ("croco", {"pairs": "field"}, r"pairs is views or group, given 'field'"),
        ("selfie", {"grid": 1}, r"a grid has 2 patches to a side or more, given 1"),
    ],
)
def test_knobs_that_cannot_be_are_refused(name: str, knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(name).objective(network(name), **knobs)


def test_a_part_of_the_tokens_is_less_than_a_pass() -> None:
    assert mae.passes() == mae.passes(masked=0.75) == 0.25
    assert cae.passes(masked=0.5) == pytest.approx(0.5 + 0.5 / 3)
    assert cae.passes(masked=0.5, alignment=0.0) == 0.5
    assert croco.passes() == pytest.approx(1.1)


def test_a_part_of_the_tokens_joins_objectives_of_tokens() -> None:
    assert load("simclr+mae").SUPPORTS == ("sequence",)
    assert load("mae+simclr").SUPPORTS == ("sequence",)
    with pytest.raises(JointError, match="no backbone suits all parts"):
        load("mae+spark")


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["mae", "cae", "croco", "selfie"])
def test_it_beats_what_says_nothing_of_the_image(name: str) -> None:
    """Plain transformers on digits; the error over that of the patch's mean, and picks over chance."""
    candidate = replace(pretrained("mae"), pretraining=pretrained(name).pretraining)
    splits = replace(few_labels(), pool=digits.load().train)
    last = list(islice(trial(Task(candidate=candidate, epochs=16, seed=0), splits), 8))[-1].monitors
    assert last.get("error_over_mean", 0.0) < 0.9
    assert last.get("picked", 1.0) > 2 / 10
