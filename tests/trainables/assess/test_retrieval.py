"""Recall, and class names as classes, on directions that are known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.trainables.small import few_labels, network
from trainables.assess import retrieval, zero_shot
from trainables.assess._reading import directions_of_classes, directions_of_images
from trainables.deploy import Deployable
from trainables.language.texts import Texts
from trainables.language.tokens import tokens
from trainables.splits import Splits


def reading() -> Deployable:
    body = network("clip").eval()
    torch.manual_seed(1)
    return body.beside(Texts(body.width, length=64, width=8, text_width=16, text_depth=1).eval())


def splits(**fields: Any) -> Splits:
    whole = few_labels()
    return replace(whole, test=replace(whole.test.take(np.arange(40)), fields=fields))


def test_ranks_count_wrong_texts_that_are_as_near() -> None:
    cosine_MN = torch.tensor([[0.9, 0.9, 0.1, 0.5], [0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0.5, 0.6]])
    right_MN = torch.tensor([[1, 0, 0, 0], [0, 0, 1, 1], [0, 1, 0, 1]], dtype=torch.bool)
    assert retrieval.ranks(cosine_MN, right_MN).tolist() == [1, 0, 0]


def test_recall_is_counted_by_caption_both_ways_over_images_that_have_it() -> None:
    own = tokens([f"number {row}" for row in range(40)], 64)
    half = tokens([f"Zahl {row}" if row % 2 else "" for row in range(40)], 64)
    data = replace(splits(caption=np.stack([own, half], axis=1)), captions=("en", "de"))
    judged = retrieval.assess(reading(), data)
    parts = {(one.metric, one.part): one for one in judged.measures}
    assert len(parts) == 3 * 2 * 2 + 3
    assert parts["recall_10", ""].count == 40
    of_own, of_half = (
        [parts["recall_10", f"{name}: {way}"].value for way in ("texts of images", "images of texts")]
        for name in ("en", "de")
    )
    assert min(*of_own, *of_half) <= parts["recall_10", ""].value <= max(*of_own, *of_half)
    assert parts["recall_10", "en: texts of images"].count == 40
    assert parts["recall_10", "de: images of texts"].count == 20
    body = reading()
    texts = body.texts
    assert isinstance(texts, Texts)
    with torch.inference_mode():
        cosine_MM = directions_of_images(body, texts, data.test) @ texts.of_tokens(torch.from_numpy(own).long()).T
    best = cosine_MM.topk(5).indices == torch.arange(40)[:, None]
    assert parts["recall_5", "en: texts of images"].value == pytest.approx(float(best.any(dim=1).float().mean()))


def test_the_recall_of_all_is_the_mean_over_images_of_what_each_has() -> None:
    own = tokens([f"number {row}" for row in range(40)], 64)
    data = replace(splits(caption=own[:, None]), captions=("en",))
    parts = {(one.metric, one.part): one.value for one in retrieval.assess(reading(), data).measures}
    for metric in retrieval.SCORES:
        both = [parts[metric, f"en: {way}"] for way in ("texts of images", "images of texts")]
        assert parts[metric, ""] == pytest.approx(sum(both) / 2)


def test_the_same_text_is_right_wherever_it_is() -> None:
    data = splits(caption=tokens(["a number"] * 40, 64)[:, None])
    assert {one.value for one in retrieval.assess(reading(), data).measures} == {1.0}


def test_the_nearest_class_name_is_the_class() -> None:
    body, data = reading(), splits()
    (one,) = zero_shot.assess(body, data, templates=("{}", "a {}")).measures
    texts = body.texts
    assert isinstance(texts, Texts)
    class_KE = directions_of_classes(texts, data.classes, ("{}", "a {}"))
    class_N = (directions_of_images(body, texts, data.test) @ class_KE.T).argmax(1).numpy()
    assert one.value == pytest.approx((class_N == data.test.label_N).mean())


@pytest.mark.parametrize("module", [retrieval, zero_shot])
def test_a_network_that_reads_nothing_says_so(module: Any) -> None:
    (one,) = module.assess(network("clip").eval(), splits()).measures
    assert one.part == "a network without a text tower, which pretraining with clip leaves"
    assert one.count == 0
