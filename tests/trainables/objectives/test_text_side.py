"""Stored vectors of texts beside labels, and where they come from."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from search.setting.checks.data import check_fields
from search.setting.checks.readers import check_readers
from spaces import described
from tests.miniatures import folder as small_folder
from tests.trainables.small import batch, few_labels, loss_of, network, pretrained, without_time
from trainables.batches.fields import FieldError
from trainables.data import digits
from trainables.data._text_vectors import ngrams
from trainables.data.sources import load_source
from trainables.joint import load
from trainables.objectives import supervised, text_side
from trainables.plan import Batch
from trainables.splits import DataError
from trainables.training.trial import Task, trial

STILL = {"crop": 1.0, "jitter": 0.0}


def projected(objective: nn.Module, images: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Directions of the images, and their cosines with all vectors."""
    image_BE = F.normalize(objective.projection(objective.network.pooled(images.image_BCHW)), dim=1)  # type: ignore[union-attr,operator]
    return image_BE, image_BE @ images.fields["text"].T


def test_its_loss_is_clips_of_projected_features() -> None:
    """Written as open_clip writes it."""
    objective = text_side.objective(network("text_side"), **STILL).eval()
    score_BB = projected(objective, batch())[1] / 0.2
    right_B = torch.arange(8)
    expected = (F.cross_entropy(score_BB, right_B) + F.cross_entropy(score_BB.T, right_B)) / 2
    torch.testing.assert_close(loss_of(objective, batch()), expected, rtol=1e-6, atol=0)


def test_its_other_forms() -> None:
    one_way = text_side.objective(network("text_side"), form="one_way", **STILL).eval()
    expected = F.cross_entropy(projected(one_way, batch())[1] / 0.2, torch.arange(8))
    torch.testing.assert_close(loss_of(one_way, batch()), expected, rtol=1e-6, atol=0)
    distance = text_side.objective(network("text_side"), form="distance", **STILL).eval()
    expected = (projected(distance, batch())[0] - batch().fields["text"]).square().sum(dim=1).mean()
    torch.testing.assert_close(loss_of(distance, batch()), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("form", text_side.FORMS)
def test_images_without_a_vector_take_no_part(form: str) -> None:
    text_BE = batch().fields["text"].clone()
    text_BE[6:] = 0
    some = Batch(image_BCHW=batch().image_BCHW, target_BK=batch().target_BK, fields={"text": text_BE})
    first = replace(some, image_BCHW=some.image_BCHW[:6], fields={"text": text_BE[:6]})
    objective = text_side.objective(network("text_side"), form=form, **STILL).eval()
    torch.testing.assert_close(loss_of(objective, some), loss_of(objective, first), rtol=1e-6, atol=0)


def test_without_weight_it_is_cross_entropy_bit_for_bit() -> None:
    weights = {"weight": {"supervised": 1.0, "text_side": 0.0}}
    joint = load("supervised+text_side").objective(network("supervised"), **weights)
    alone = supervised.objective(network("supervised"))
    assert torch.equal(loss_of(joint, batch()), loss_of(alone, batch()))

    def reports(objective: str, **weight: float) -> list[tuple[int, float, float]]:
        candidate = pretrained(objective, **{f"weight.{part}": value for part, value in weight.items()})
        return without_time(list(trial(Task(candidate=candidate, epochs=2, seed=0), few_labels())))

    assert reports("supervised") == reports("supervised+text_side", supervised=1.0, text_side=0.0)
    assert reports("supervised") != reports("supervised+text_side", supervised=1.0, text_side=0.3)


def test_vectors_of_another_width_are_refused() -> None:
    objective = text_side.objective(network("text_side"), vector=64)
    with pytest.raises(ValueError, match=r"text_side\.vector is 64, but these images have vectors of 256 numbers"):
        loss_of(objective, batch())
    with pytest.raises(ValueError, match=r"text_side\.form is symmetric, one_way, distance, .* given 'both'"):
        text_side.objective(network("text_side"), form="both")


def test_texts_that_share_words_have_vectors_alike() -> None:
    vector_NE = ngrams([["a red apple"], ["a green apple"], ["traffic light"], []])
    cosine_NN = vector_NE @ vector_NE.T
    assert cosine_NN[0, 1] > 0.4 > 0.2 > abs(cosine_NN[0, 2])
    np.testing.assert_allclose(np.diag(cosine_NN), [1, 1, 1, 0], rtol=1e-5)


def test_vectors_come_from_a_file_by_the_names_of_the_images(tmp_path: Path) -> None:
    written = small_folder.write(tmp_path)
    names = [f"{file.parent.name}/{file.name}" for file in sorted(Path(written["path"]).rglob("*.png"))]
    number_N = np.arange(len(names) - 1)  # the last has none
    np.savez(tmp_path / "v.npz", name=np.array(names[:-1]), vector=np.stack([number_N + 1, number_N * 0], axis=1))
    splits = load_source("folder", {**written, "text_vectors": str(tmp_path / "v.npz")})
    text_NE = np.concatenate([part.fields["text"] for part in (splits.train, splits.validation, splits.test)])
    assert sorted(map(tuple, text_NE.tolist())) == [(0.0, 0.0), *[(1.0, 0.0)] * (len(names) - 1)]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("ngrams", "text_vectors ngrams are made of captions; set data.captions"),
        ("nowhere.npz", "'nowhere.npz' is no .npz with the arrays name and vector"),
        (3, "text_vectors is 3; it must be ngrams, or the path of a file .npz"),
    ],
)
def test_vectors_that_cannot_be_are_one_sentence(source: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_source("digits", {"text_vectors": source})


def test_vectors_of_other_images_are_one_sentence(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", name=np.array(["a/b.png"]), vector=np.ones((1, 3)))
    with pytest.raises(DataError, match="has a vector of no training image, such as 'row 0'"):
        load_source("digits", {"text_vectors": str(tmp_path / "v.npz")})


def test_a_check_names_vectors_that_are_not_there() -> None:
    space = described.space()
    check_readers(space)
    check_fields(space, few_labels())
    with pytest.raises(FieldError, match=r"reads the field text .*data\.text_vectors gives it"):
        check_fields(space, digits.load())
