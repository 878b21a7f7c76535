"""What every protocol that judges features must do, and each against a second computation."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lightly.utils.benchmarking.knn import knn_predict
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestCentroid
from torch import Tensor

from spaces import components
from tests.trainables.small import network
from trainables.data import digits
from trainables.training.features import Features, features_of, score
from trainables.training.world import World

NAMES = components.names(components.PROTOCOLS)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def features() -> Features:
    """Pixels: 120 labelled digits, all digits for search-validation."""
    splits = digits.load()
    known, queries = splits.train.take(np.arange(120)), splits.validation
    known_NF, query_MF = (torch.from_numpy(images.image_NCHW).flatten(1).double() / 255 for images in (known, queries))
    label_N, label_M = (torch.from_numpy(images.label_N) for images in (known, queries))
    return Features(known_NF=known_NF, class_N=label_N, query_MF=query_MF, right_M=label_M, total=len(queries))


def predicted_by(name: str, features: Features, **knobs: float) -> Tensor:
    module = components.load(components.PROTOCOLS, name)
    predicted: Tensor = module.classify(features.known_NF, features.class_N, features.query_MF, classes=10, **knobs)
    return predicted


@pytest.mark.parametrize("name", NAMES)
def test_a_protocol_predicts_classes_better_than_chance(name: str, features: Features) -> None:
    assert components.load(components.PROTOCOLS, name).PAPER
    predicted_M = predicted_by(name, features)
    assert predicted_M.shape == features.right_M.shape
    assert torch.equal(predicted_M, predicted_by(name, features))
    share = score(features, name, classes=10, world=World(), device=CPU)
    assert share == pytest.approx((predicted_M == features.right_M).double().mean().item())
    assert share > 0.6


@pytest.mark.parametrize("name", NAMES)
def test_separate_classes_are_recognised_in_any_order(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    class_N = torch.arange(60) % 3
    known_NF = 3 * torch.eye(3, 8)[class_N] + 0.2 * torch.randn(60, 8, generator=generator)
    features = Features(known_NF=known_NF, class_N=class_N, query_MF=known_NF, right_M=class_N, total=60)
    assert torch.equal(predicted_by(name, features), class_N)
    order_N = torch.randperm(60, generator=generator)
    shuffled = replace(features, known_NF=known_NF[order_N], class_N=class_N[order_N])
    assert torch.equal(predicted_by(name, shuffled), class_N)


def test_two_workers_count_what_one_does() -> None:
    splits = digits.load()
    judge = network("simclr")
    parts = [
        features_of(judge, splits.train, splits.validation, world=World(rank=rank, size=2), device=CPU)
        for rank in range(2)
    ]
    whole = features_of(judge, splits.train, splits.validation, world=World(), device=CPU)
    right = [int((predicted_by("nearest_mean", part) == part.right_M).sum()) for part in parts]
    one = score(whole, "nearest_mean", classes=10, world=World(), device=CPU)
    assert sum(right) / len(splits.validation) == one
    assert {part.total for part in (*parts, whole)} == {len(splits.validation)}


@pytest.mark.filterwarnings("ignore:self.within_class_std_dev_")  # pixels that are empty in a whole class
def test_nearest_mean_matches_scikit_learns_centroids(features: Features) -> None:
    known_NF = F.normalize(features.known_NF)
    centroid = NearestCentroid().fit(known_NF.numpy(), features.class_N.numpy())
    expected_M = cosine_similarity(features.query_MF.numpy(), centroid.centroids_).argmax(1)
    assert predicted_by("nearest_mean", features).tolist() == expected_M.tolist()


@pytest.mark.parametrize(("neighbours", "temperature"), [(1, 0.1), (5, 0.1), (20, 0.07), (120, 0.5)])
def test_neighbours_vote_as_in_lightly(neighbours: int, temperature: float, features: Features) -> None:
    query_MF, known_NF = (F.normalize(rows_NF.double()) for rows_NF in (features.query_MF, features.known_NF))
    expected_MK = knn_predict(query_MF, known_NF.T, features.class_N, 10, neighbours, temperature)
    mine_M = predicted_by("knn", features, neighbours=neighbours, temperature=temperature)
    assert torch.equal(mine_M, expected_MK[:, 0])


def test_fewer_labels_than_neighbours_all_vote(features: Features) -> None:
    assert torch.equal(predicted_by("knn", features, neighbours=500), predicted_by("knn", features, neighbours=120))
    assert not torch.equal(
        predicted_by("knn", features, temperature=math.inf), predicted_by("knn", features, temperature=0.001)
    )


@pytest.mark.parametrize("knobs", [{"neighbours": 0}, {"temperature": 0.0}])
def test_knobs_without_a_meaning_are_refused(knobs: dict[str, float], features: Features) -> None:
    with pytest.raises(ValueError, match="neighbours >= 1 and temperature > 0"):
        predicted_by("knn", features, **knobs)


def test_the_linear_probe_is_the_optimum_of_its_loss(features: Features) -> None:
    """Found again by torch's L-BFGS on the written loss: the same classes, but for near ties."""
    spread = features.known_NF.std(0, correction=0)
    spread[spread == 0] = 1  # pixels that are always empty
    known_NF, query_MF = (
        (rows_NF - features.known_NF.mean(0)) / spread for rows_NF in (features.known_NF, features.query_MF)
    )
    layer = torch.nn.Linear(known_NF.shape[1], 10).double()
    solver = torch.optim.LBFGS(layer.parameters(), max_iter=2000, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        value = layer.weight.square().sum() / 2 + F.cross_entropy(layer(known_NF), features.class_N, reduction="sum")
        value.backward()  # type: ignore[no-untyped-call]
        return value

    solver.step(loss)  # type: ignore[no-untyped-call]
    same = (layer(query_MF).argmax(1) == predicted_by("linear_probe", features)).double().mean()
    assert same > 0.995
