"""Classifiers that are the names of classes, learnt prompts among them."""

from typing import Any

import pytest
import torch

from tests.trainables.small import batch, loss_of, network
from trainables.adapt import prompts, zero_shot
from trainables.adapt._named import ByName
from trainables.language.texts import Texts
from trainables.plan import Plan

NAMES = [f"number {digit}" for digit in range(10)]


def by_name(method: Any, **knobs: Any) -> tuple[ByName, Plan]:
    """A method applied to a network that was not trained."""
    body = network("clip")
    torch.manual_seed(1)
    texts = Texts(body.width, length=32, width=8, text_width=16, text_depth=1)
    plan = method.adapt(Plan(epochs=1, images=8, classes=10, network=body), texts=texts, names=NAMES, **knobs)
    assert isinstance(plan.objective, ByName)
    return plan.objective, plan


@pytest.mark.parametrize("by_class", [False, True])
def test_vectors_that_begin_as_words_score_as_these_words_do(by_class: bool) -> None:
    feature_BF = torch.rand(5, network("clip").width)
    learnt, _ = by_name(prompts, words="One of ", context=7, by_class=by_class)
    written, _ = by_name(zero_shot, template="one of {}")
    torch.testing.assert_close(learnt.scores(feature_BF), written.scores(feature_BF), rtol=1e-5, atol=1e-5)


def test_vectors_may_stand_on_both_sides_of_a_name() -> None:
    middle, _ = by_name(prompts, words="a !", context=3, place="middle")
    written, _ = by_name(zero_shot, template="a{} !")
    torch.testing.assert_close(middle.of_classes(), written.of_classes(), rtol=1e-5, atol=1e-5)


def test_vectors_alone_are_trained_and_only_the_classifier_is_written() -> None:
    learnt, plan = by_name(prompts)
    before = {name: value.clone() for name, value in learnt.state_dict().items()}
    trained = [parameter for parameter in learnt.parameters() if parameter.requires_grad]
    assert trained == [learnt.context]
    optimizer = torch.optim.SGD(trained, lr=1.0)
    loss_of(learnt.train(), batch()).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    for act in plan.after_step:
        act()
    after = learnt.state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed == {"context", "length", "network.network.classifier.weight"}  # whose bias is 0 as before


@pytest.mark.parametrize("method", [prompts, zero_shot])
def test_the_folded_classifier_names_every_image_alike(method: Any) -> None:
    """Its scores are the cosines' but for a factor of each image."""
    learnt, _ = by_name(method)
    image_BCHW = batch().image_BCHW
    with torch.no_grad():
        feature_BF = learnt.network.eval().pooled(image_BCHW)
        learnt.measure(feature_BF)
        learnt.fold()
        length_B1 = learnt.texts.image_projection(feature_BF).norm(dim=1, keepdim=True)
        folded_BK, cosines_BK = learnt.network(image_BCHW), learnt.scores(feature_BF)
        torch.testing.assert_close(folded_BK * learnt.length / length_B1, cosines_BK, rtol=1e-5, atol=1e-5)
        assert torch.equal(folded_BK.argmax(1), cosines_BK.argmax(1))


def test_the_classifier_is_class_names_from_the_start() -> None:
    """So that a moving average of the network never holds a random one."""
    learnt, _ = by_name(zero_shot)
    image_BCHW = batch().image_BCHW
    with torch.no_grad():
        feature_BF = learnt.network.eval().pooled(image_BCHW)
        assert torch.equal(learnt.network(image_BCHW).argmax(1), learnt.scores(feature_BF).argmax(1))


def test_a_temperature_changes_no_class() -> None:
    learnt, _ = by_name(zero_shot)
    feature_BF = torch.rand(20, learnt.network.width)
    with torch.no_grad():
        before = learnt.scores(feature_BF).argmax(1)
        learnt.log_scale.add_(1.0)
        assert torch.equal(learnt.scores(feature_BF).argmax(1), before)


@pytest.mark.parametrize(
    ("method", "knobs", "message"),
    [
        (prompts, {"texts": None}, "adaptation 'prompts' needs a text tower, which pretraining.objective clip leaves"),
        (zero_shot, {"texts": None}, "adaptation 'zero_shot' needs a text tower"),
        (prompts, {"context": 0}, "prompts.context is at least 1 and place front or middle, given 0"),
        (prompts, {"context": 30}, "takes 40 tokens, and the text tower reads 32; make adaptation.prompts.context"),
        (zero_shot, {"template": "a cat"}, "a template has a place for the name"),
    ],
)
def test_what_cannot_be_named_is_refused(method: Any, knobs: dict[str, Any], message: str) -> None:
    plan = Plan(epochs=1, images=8, classes=10, network=network("clip"))
    texts = Texts(plan.network.width, length=32, width=8, text_width=16, text_depth=1)  # type: ignore[union-attr, arg-type]
    with pytest.raises(ValueError, match=message):
        method.adapt(plan, **{"texts": texts, "names": NAMES, **knobs})
