"""Images that captions name as the teachers of a classifier, and what captions call the classes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from search.setting.checks.data import check_names
from search.setting.config import ConfigError
from spaces import captions
from tests.trainables.small import batch, few_labels, loss_of, network, pretrained
from trainables.adapt import retrieved, zero_shot
from trainables.adapt._named import ByName
from trainables.data._synonyms import with_synonyms
from trainables.data.sources import load_source
from trainables.language.names import counts_of, images_of, named_by
from trainables.language.texts import Texts
from trainables.language.tokens import tokens
from trainables.plan import Plan
from trainables.splits import DataError, Images, Splits
from trainables.training.trial import Task, trial

SYNONYMS = {"four": ("four", "quad"), "two": ("two",), "nine": ("nine",)}
CAPTIONS = [["a quad"], ["A QUAD bike", "vier"], ["four"], ["twofold"], ["two fours"], ["two"], [], ["squad", "quad!"]]


def pool(captions: Sequence[Sequence[str]]) -> Images:
    most = max(map(len, captions))
    caption_NTL = np.stack([tokens([*own, *[""] * (most - len(own))], 16) for own in captions])
    image_NCHW = np.random.default_rng(0).integers(256, size=(len(captions), 1, 8, 8), dtype=np.uint8)
    label_N = np.zeros(len(captions), dtype=np.int64)
    return Images(image_NCHW=image_NCHW, label_N=label_N, fields={"caption": caption_NTL})


def test_counts_are_those_of_whole_words() -> None:
    """As one counts them by splitting at what is no letter."""
    words = [{word for text in texts for word in re.split(r"\W+", text.lower())} for texts in CAPTIONS]
    brute = {name: {one: sum(one in own for own in words) for one in synonyms} for name, synonyms in SYNONYMS.items()}
    assert (
        counts_of(CAPTIONS, SYNONYMS)
        == brute
        == {"four": {"four": 1, "quad": 3}, "two": {"two": 2}, "nine": {"nine": 0}}
    )


def test_names_are_read_in_scripts_without_spaces_and_with_signs() -> None:
    assert named_by([["黑猫在睡觉"], ["狗"]], "猫").tolist() == [True, False]
    assert named_by([["C++ book"], ["c+ book"]], "c++").tolist() == [True, False]


def plan_of(method: Any, images: Images | None = None, **knobs: Any) -> tuple[ByName, Plan]:
    body = network("clip")
    torch.manual_seed(1)
    texts = Texts(body.width, length=32, width=8, text_width=16, text_depth=1)
    if images is not None:
        knobs = {"pool": images, "synonyms": SYNONYMS, **knobs}
    names = ("quad", "two", "nine")
    body.network.reset_classifier(3)  # type: ignore[operator]
    plan = method.adapt(Plan(epochs=1, images=8, classes=3, network=body), texts=texts, names=names, **knobs)
    assert isinstance(plan.objective, ByName)
    return plan.objective, plan


def test_images_are_those_that_captions_name_and_the_nearest_come_first() -> None:
    objective, plan = plan_of(retrieved, pool(CAPTIONS))
    assert isinstance(plan.pictures, Images)
    named_NK = images_of(CAPTIONS, SYNONYMS)
    assert np.flatnonzero(named_NK.any(axis=1)).tolist() == [0, 1, 2, 4, 5, 7]
    assert sorted(plan.pictures.label_N.tolist()) == [0, 0, 0, 0, 1, 1]
    of_quad = ["a quad", "A QUAD bike", "four", "squad", "quad!"]
    with torch.no_grad():
        cosine_M = objective.texts.of_texts(of_quad) @ objective.zero_shot_KE[0]  # type: ignore[union-attr]
    best = [float(cosine_M[0]), float(cosine_M[1]), float(cosine_M[2]), float(cosine_M[3:].max())]
    first = [0, 1, 2, 7][int(np.argmax(best))]
    row_M, class_M = retrieved.retrieved(
        objective.texts,
        pool(CAPTIONS).fields["caption"],
        objective.zero_shot_KE,
        SYNONYMS,
        1,  # type: ignore[arg-type]
    )
    assert class_M.tolist() == [0, 1]
    assert row_M[0] == first or best[[0, 1, 2, 7].index(row_M[0])] == pytest.approx(max(best))


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_what_is_handed_on_is_between_names_and_what_was_learnt(weight: float) -> None:
    objective, plan = plan_of(retrieved, pool(CAPTIONS), weight=weight)
    by_name, _ = plan_of(zero_shot)
    optimizer = torch.optim.SGD([p for p in objective.parameters() if p.requires_grad], lr=1.0)
    three = replace(batch(), target_BK=torch.eye(3)[torch.arange(8) % 3])
    loss_of(objective.train(), three).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    for act in plan.after_step:
        act()
    by_name.length.copy_(objective.length)
    by_name.fold()
    linear = torch.nn.Linear(objective.network.width, 3)
    with torch.no_grad():
        share = objective.scale / objective.length
        linear.weight.copy_(share * objective.of_classes() @ objective.texts.image_projection.weight)
        mixed = weight * linear.weight + (1 - weight) * by_name.network.classifier.weight  # type: ignore[operator]
        torch.testing.assert_close(objective.network.classifier.weight, mixed, rtol=1e-5, atol=1e-6)
    assert torch.equal(objective.network.classifier.weight, by_name.network.classifier.weight) == (weight == 0)


def test_names_alone_are_the_classifier_where_no_caption_has_one() -> None:
    objective, plan = plan_of(retrieved, pool([["a"], ["b"]]))
    assert plan.pictures is None
    assert torch.equal(objective.of_classes(), plan_of(zero_shot)[0].of_classes())


@pytest.mark.parametrize(("knobs", "given"), [({"most": 0}, "0 and 0.5"), ({"weight": 1.5}, "100 and 1.5")])
def test_a_value_out_of_range_is_refused(knobs: Mapping[str, Any], given: str) -> None:
    with pytest.raises(ValueError, match=f"retrieved.most is at least 1 and weight in .0, 1., given {given}"):
        plan_of(retrieved, pool(CAPTIONS), **knobs)


def test_the_most_frequent_name_is_what_texts_call_a_class() -> None:
    splits = load_source("digits", {"class_captions": 1.0, "synonyms": {"4": ["four", "4"], "5": ["five"]}})
    assert splits.names == ("0", "1", "2", "3", "4", "five", "6", "7", "8", "9")
    assert splits.synonyms["4"] == ("four", "4")
    assert splits.survey is not None
    assert "no caption names 1 class(es): 5" in splits.survey.remarks
    assert load_source("digits", {}).names == splits.classes


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"synonyms": {"4": ["four"]}}, "are looked for in captions, which this data does not have; set data.captions"),
        ({"class_captions": 1.0, "synonyms": ["4"]}, "must be classes with lists of names"),
        ({"class_captions": 1.0, "synonyms": {"4": []}}, "must be classes with lists of names"),
        ({"class_captions": 1.0, "synonyms": {"four": ["4"]}}, "has 'four', which is no class; there are 0, 1, 2"),
    ],
)
def test_synonyms_that_cannot_be_are_one_sentence(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_source("digits", keywords)


def test_no_label_of_the_data_is_read() -> None:
    """What is trained is the same whatever the classes of the training images are."""

    def losses(splits: Splits) -> list[float]:
        candidate = replace(pretrained("clip"), adaptation={"method": "retrieved", "retrieved.most": 10})
        return [report.loss for report in trial(Task(candidate=candidate, epochs=2, seed=0), splits)]

    named = with_synonyms(few_labels(), {"4": ["4"]})
    turned = replace(named.train, label_N=np.roll(named.train.label_N, 1))
    assert losses(named) == losses(replace(named, train=turned))


def test_a_check_refuses_retrieval_where_no_caption_names_a_class() -> None:
    space = captions.space().extend({"adaptation.mobile.method": ("retrieved",)})
    check_names(space, few_labels())
    bare = replace(few_labels(), classes=tuple("abcdefghij"))
    with pytest.raises(ConfigError, match=r"offers adaptation.method 'retrieved', which .* say in data.synonyms what"):
        check_names(space, bare)
    check_names(captions.space(), bare)
