"""CLIP and its options, as an objective."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from search.setting.checks.data import check_captions, check_evaluations, check_fields
from search.setting.checks.readers import check_readers
from search.setting.config import ConfigError, parse
from spaces import captions, captions_pretrained
from spaces.dimensions import Choice
from spaces.pretraining import with_pretraining
from spaces.space import Condition
from spaces.tiny import space as tiny
from tests.trainables.small import batch, few_labels, loss_of, network, pretrained
from trainables.assess import retrieval
from trainables.batches.fields import FieldError
from trainables.batches.order import Pure
from trainables.data import digits
from trainables.joint import load
from trainables.language.texts import Texts
from trainables.language.tokens import text_of, tokens
from trainables.objectives import clip
from trainables.plan import Batch
from trainables.training.checkpoint import Checkpoint
from trainables.training.trial import Task, trained, trial

STILL = {"crop": 1.0, "jitter": 0.0}
SCORED = """
name: recall
data: {source: digits}
space: {name: tiny}
search: {score: assess.retrieval.recall_10}
"""
PURE = {"clip.prefix": True, "clip.batches": "pure"}


def of(images: Batch, seed: int = 0, **knobs: Any) -> torch.Tensor:
    """The loss of a fresh objective."""
    return loss_of(clip.objective(network("clip"), **{**STILL, **knobs}).eval(), images, seed).detach()


def captioned(*captions: tuple[str, ...], **fields: torch.Tensor) -> Batch:
    token_BTL = torch.stack([torch.from_numpy(tokens(own, 16)) for own in captions])
    return replace(batch(len(captions)), fields={"caption": token_BTL, **fields})


NUMBERS = [(f"number {row}",) for row in range(8)]


@pytest.mark.parametrize(
    "off",
    [
        {"direction": 0.5},
        {"smoothing": 0.0},
        {"matching": False},
        {"captions": 1},
        {"parts": 1},
        {"accumulate": 1},
        {"prototypes": 0.0, "clusters": 4},
        {"places": 0.0, "threshold": 0.5},
        {"words": 0.0},
        {"painted": 0.0, "decoder_width": 8},
        {"locked": False},
        {"batches": "pure"},
        {"grouped": True},
    ],
)
def test_an_option_that_is_off_or_has_no_effect_is_clip_bit_for_bit(off: dict[str, Any]) -> None:
    alone = captioned(*NUMBERS, group=torch.arange(8))
    assert torch.equal(of(alone, **off), of(alone))


def test_every_option_that_is_on_changes_the_loss() -> None:
    double = [(f"number {row // 2}", f"Nummer {row}") for row in range(8)]
    images = captioned(*double, group=torch.arange(8) // 2, origin=torch.arange(8) % 2)
    on = {
        "places": 0.5,
        "direction": 0.75,
        "smoothing": 0.1,
        "grouped": True,
        "captions": 2,
        "parts": 2,
        "prefix": True,
    }
    values = {float(of(images, **{name: value})) for name, value in on.items()}
    assert len({*values, float(of(images))}) == len(on) + 1


def test_the_same_text_for_all_images_of_a_group_needs_no_option() -> None:
    """UniCL's loss on class names is CLIP's."""
    same = captioned(*[("one",)] * 4, *[("two",)] * 4, group=torch.tensor([0] * 4 + [1] * 4))
    torch.testing.assert_close(of(same, grouped=True), of(same), rtol=1e-6, atol=0)


def test_captions_are_drawn_among_those_that_an_image_has() -> None:
    images = captioned(("a", "", "c"), ("", "e", ""))
    seen = set()
    for seed in range(40):
        token_BNL = clip.drawn(images.fields["caption"], 2, torch.Generator().manual_seed(seed))
        first, second = ([text_of(token_L.numpy()) for token_L in token_NL] for token_NL in token_BNL)
        assert sorted(first) == ["a", "c"]
        assert second == ["e", ""]
        seen.add(tuple(first))
    assert len(seen) == 2
    with pytest.raises(ValueError, match=r"clip\.captions is 4, but these images have at most 3"):
        clip.drawn(images.fields["caption"], 4, torch.Generator())


def test_several_captions_are_the_mean_of_each() -> None:
    both, swapped = captioned(*[(f"a{row}", f"b{row}") for row in range(8)]), captioned(*[(f"b{n}",) for n in range(8)])
    first = captioned(*[(f"a{row}",) for row in range(8)])
    mean = (of(first) + of(swapped)) / 2
    together = torch.stack([of(both, seed, captions=2) for seed in range(4)])
    assert together.mean() == pytest.approx(float(mean), rel=0.05)  # which is the first differs from image to image


def gradients(accumulate: int) -> dict[str, torch.Tensor]:
    objective = clip.objective(network("clip"), **STILL, accumulate=accumulate, captions=2).eval()
    double = captioned(*[(f"number {row}", "x" * (row + 1)) for row in range(8)])
    loss_of(objective, double).backward()  # type: ignore[no-untyped-call]
    return {name: value.grad for name, value in objective.named_parameters() if value.grad is not None}


def test_a_batch_in_pieces_has_the_gradients_of_the_whole() -> None:
    whole, pieces = gradients(1), gradients(4)
    assert whole.keys() == pieces.keys()
    for name, value in whole.items():
        torch.testing.assert_close(pieces[name], value, rtol=1e-4, atol=1e-6, msg=name)
    assert clip.passes(accumulate=4) == pytest.approx(4 / 3)


def test_statistics_are_counted_once_where_a_batch_is_seen_again() -> None:
    """As if each piece had been seen once, one after the other."""
    body, twin = network("clip"), network("clip")
    objective = clip.objective(body, **STILL, accumulate=2).train()
    loss_of(objective, captioned(*NUMBERS)).backward()  # type: ignore[no-untyped-call]
    for image_BCHW in captioned(*NUMBERS).image_BCHW.chunk(2):
        twin.train().pooled(image_BCHW)
    for (name, value), other in zip(body.named_buffers(), twin.buffers(), strict=True):
        if name.endswith(("running_mean", "running_var")):
            torch.testing.assert_close(value, other, rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize("terms", [{}, {"places": 1.0, "words": 1.0}, {"accumulate": 2}])
def test_a_locked_network_stays_as_it_is_and_texts_learn_what_it_sees(terms: dict[str, Any]) -> None:
    """With the gradients of the text side that a trained network has whose batch statistics stay."""
    body = network("clip")
    before = {name: value.clone() for name, value in body.state_dict().items()}
    locked = clip.objective(body, **STILL, **terms, locked=True).train()
    twin = clip.objective(network("clip"), **STILL, **terms)
    twin.load_state_dict(locked.state_dict())
    twin.train().network.eval()
    for objective in (locked, twin):
        loss_of(objective, captioned(*NUMBERS)).backward()  # type: ignore[no-untyped-call]
    assert locked.network.training
    for name, value in body.state_dict().items():
        assert torch.equal(value, before[name]), name
    own = dict(twin.named_parameters())
    learnt = {name: value for name, value in locked.named_parameters() if value.requires_grad}
    assert learnt
    assert not any(name.startswith("network.") for name in learnt)
    for name, value in learnt.items():
        torch.testing.assert_close(value.grad, own[name].grad, rtol=1e-4, atol=1e-6, msg=name)


def test_a_locked_network_goes_forward_alone() -> None:
    assert clip.passes(locked=True) == pytest.approx(1 / 3)
    assert clip.passes(locked=True, accumulate=4, painted=1.0) == pytest.approx(2 / 3)


def test_beside_another_objective_it_is_that_one_which_trains_a_locked_network() -> None:
    """The gradients of the network are those of the other objective alone."""
    of_both = {}
    for weight in (1.0, 0.0):
        body = network("clip+simclr")
        knobs = {"clip": {**STILL, "locked": True}, "simclr": {}, "weight": {"clip": 1.0, "simclr": weight}}
        objective = load("clip+simclr").objective(body, **knobs).train()
        loss_of(objective, captioned(*NUMBERS)).backward()  # type: ignore[no-untyped-call]
        of_both[weight] = [value.grad for value in body.parameters() if value.grad is not None]
    assert len(of_both[1.0]) > 0
    assert of_both[0.0] == []


def test_pure_batches_are_asked_for() -> None:
    assert clip.objective(network("clip"), batches="pure").order == Pure("origin")  # type: ignore[union-attr]
    assert clip.objective(network("clip")).order is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"direction": 2.0}, r"clip.direction is in \[0, 1\]"),
        ({"smoothing": 1.0}, r"clip.smoothing in \[0, 1\), given 0.5 and 1.0"),
        (
            {"batches": "small"},
            "clip.batches is mixed or pure, and weights are at least 0, given 'small' and prototypes 0, places",
        ),
        ({"captions": 0}, "at least 1, given 0, 1 and 1"),
    ],
)
def test_a_value_out_of_range_is_refused(knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        clip.objective(network("clip"), **knobs)


def test_a_check_names_captions_that_are_not_there() -> None:
    space = with_pretraining(tiny(), ("none", "clip"), {"clip.width": Choice(values=(32, 64), ordered=True)})
    with pytest.raises(FieldError, match=r"reads the field caption .*data\.captions gives"):
        check_fields(space, digits.load())
    check_fields(space, few_labels())


def test_a_check_names_a_source_without_captions() -> None:
    """Where clip may have it, and not where another objective alone has it."""
    space = with_pretraining(tiny(), ("none", "clip", "simclr"))
    check_fields(space, few_labels())
    of_both = Condition(parent="pretraining.objective", values=("clip", "simclr"))
    both = replace(space, conditions={**space.conditions, "pretraining.source": of_both})
    with pytest.raises(FieldError, match=r"caption .* which the images of pretraining\.source 'fractals' do not have"):
        check_fields(both, few_labels())
    pools = {"more": few_labels().train, "bare": digits.load().train}
    for name in pools:
        of_pool = both.extend({"pretraining.source": (name,)}).restrict({"pretraining.source": ("own", name)})
        with pytest.raises(FieldError, match="'bare' do not have") if name == "bare" else nullcontext():
            check_fields(of_pool, replace(few_labels(), pools=pools))


@pytest.mark.parametrize(
    ("further", "message"),
    [
        ({}, None),
        (
            {"captions": (1, 2)},
            r"pretraining\.clip\.captions 2, and these images have 1; add to data\.",
        ),
        ({"text_length": (32, 64)}, r"clip\.text_length 32, and captions have 64 tokens; change data\.caption_tokens"),
        ({"painted": (0.0, 1.0)}, r"clip\.painted above 0, and images have 1 channel"),
    ],
)
def test_a_check_names_options_that_these_captions_and_images_do_not_suit(
    further: dict[str, tuple[float, ...]], message: str | None
) -> None:
    knobs = {f"clip.{name}": Choice(values=values, ordered=True) for name, values in further.items()}
    space = with_pretraining(tiny(), ("none", "clip"), knobs)
    with nullcontext() if message is None else pytest.raises(ConfigError, match=message):
        check_captions(space, few_labels())


def test_a_pool_of_captioned_images_may_be_pretrained_on() -> None:
    space = captions_pretrained.space().extend({"pretraining.source": ("more",)})
    check_readers(space, ["more"])
    check_fields(space, replace(few_labels(), pools={"more": few_labels().train}))
    with pytest.raises(FieldError, match=r"caption .* which the images of pretraining\.source 'more' do not have"):
        check_fields(space, replace(few_labels(), pools={"more": digits.load().train}))


def test_images_without_a_caption_take_no_part() -> None:
    """In a joined pool as in a batch: the loss is that of the others."""
    images = captioned(*NUMBERS[:6], ("",), ("",))
    others = captioned(*NUMBERS[:6])
    others = replace(others, image_BCHW=images.image_BCHW[:6])
    torch.testing.assert_close(of(images), of(others), rtol=1e-6, atol=0)
    nobody = clip.objective(network("clip"), **STILL).train()
    loss = loss_of(nobody, captioned(*[("",)] * 4))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss == 0
    assert all(torch.isfinite(one.grad).all() for one in nobody.parameters() if one.grad is not None)


def test_a_check_names_methods_without_a_text_tower() -> None:
    space = captions.space()
    check_readers(space)
    other = space.restrict({"pretraining.mobile.objective": ("clip",)}).extend(
        {"pretraining.mobile.objective": ("simclr",)}
    )
    with pytest.raises(
        ConfigError, match=r"'prompts', which needs a text tower, and 'simclr' of 'pretraining.mobile.obj"
    ):
        check_readers(other)


def test_it_tells_what_it_has_learnt_and_leaves_it(tmp_path: Path) -> None:
    """Beside the network, also where all of its weights were trained on."""
    task, checkpoint = Task(candidate=pretrained("clip", **PURE), epochs=4, seed=0), Checkpoint(path=tmp_path / "x.pt")
    reports = list(trial(task, few_labels(), checkpoint=checkpoint, cache=tmp_path))
    assert set(reports[0].monitors) == {"rank_before", "rank_after", "spread", "found", "scale"}
    assert 0 < reports[1].monitors["found"] < 1
    assert reports[1].loss < reports[0].loss
    texts = trained(task, few_labels(), checkpoint).texts
    assert isinstance(texts, Texts)
    (shared,) = tmp_path.glob("*[0-9a-f].pt")
    heads = torch.load(shared, weights_only=True)["states"]["heads"]
    for name, value in texts.state_dict().items():
        assert torch.equal(value, heads[f"texts.{name}"])


def test_what_captions_find_may_be_what_trials_are_judged_by(tmp_path: Path) -> None:
    """Each report after pretraining has the recall of search-validation captions."""
    recall = "assess.retrieval.recall_5"
    task = Task(candidate=pretrained("clip"), epochs=4, seed=0, score=((recall, 0.5), ("accuracy", 0.5)))
    checkpoint = Checkpoint(path=tmp_path / "x.pt")
    *_, last = trial(task, few_labels(), checkpoint=checkpoint)
    splits = few_labels()
    judged = retrieval.assess(trained(task, splits, checkpoint), replace(splits, test=splits.validation), most=500)
    (expected,) = (one.value for one in judged.measures if (one.metric, one.part) == ("recall_5", ""))
    assert last.monitors[recall] == pytest.approx(expected)
    assert last.accuracy == pytest.approx((expected + last.monitors["assess.accuracy"]) / 2)


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        (("clip",), None),
        (("none", "clip"), r"search\.score has evaluation 'retrieval'.*'none' of 'pretraining\.objective' leaves none"),
        (("clip", "simclr"), r"'simclr' of 'pretraining\.objective' leaves none; restrict space 'tiny' to clip"),
    ],
)
def test_a_check_names_candidates_without_the_text_tower_that_a_score_needs(
    objectives: tuple[str, ...], message: str | None
) -> None:
    space = with_pretraining(tiny(), objectives)
    config = parse(SCORED)
    with nullcontext() if message is None else pytest.raises(ConfigError, match=message):
        check_evaluations(config, space, few_labels())
