"""Features of any layout as maps."""

import pytest
import torch

from tests.conformance.test_backbones import NAMES, images, unchanged
from trainables.deploy import Deployable
from trainables.maps import as_map, class_map, features_and_maps, map_of, maps_of, side_of, width_of


@pytest.mark.parametrize("layout", ["map", "channels last", "tokens", "tokens with a prefix"])
def test_every_layout_is_the_same_map(layout: str) -> None:
    map_BFHW = torch.rand(2, 5, 4, 4)
    token_BTF = map_BFHW.flatten(2).transpose(1, 2)
    features, prefix = {
        "map": (map_BFHW, 0),
        "channels last": (map_BFHW.permute(0, 2, 3, 1), 0),
        "tokens": (token_BTF, 0),
        "tokens with a prefix": (torch.cat([torch.rand(2, 2, 5), token_BTF], dim=1), 2),
    }[layout]
    assert torch.equal(as_map(features, prefix), map_BFHW)
    assert (side_of(features, prefix), width_of(features)) == (4, 5)


@pytest.mark.parametrize("name", NAMES)
def test_every_backbone_has_maps_and_class_maps(name: str) -> None:
    network = unchanged(name)
    with torch.no_grad():
        image = images(network, 2)
        last, scores = map_of(network, image), class_map(network, image)
        features, stages = features_and_maps(network, image)
        torch.testing.assert_close(features, network.features(image))
        assert len(stages) == len(maps_of(network, image))
        assert last.ndim == 4
        assert all(stage.ndim == 4 and stage.shape[2] >= last.shape[2] for stage in stages)
        assert scores.shape == (2, network.scored, *last.shape[2:])
        assert scores.isfinite().all()


@pytest.mark.parametrize("name", ["resnet", "uniformer"])
def test_where_the_head_is_linear_the_mean_of_the_class_map_is_the_scores(name: str) -> None:
    network = Deployable(unchanged(name).network, mean=[0.5] * 3, std=[0.5] * 3, resolution=64)
    with torch.no_grad():
        image = images(network, 2)
        scores = class_map(network, image)
        assert scores.shape[-1] > 1
        torch.testing.assert_close(scores.mean(dim=(2, 3)), network(image), atol=1e-5, rtol=1e-4)


def test_a_place_has_the_scores_of_its_features_alone() -> None:
    """With a class token, which stands for the place, and without."""
    network = unchanged("vit")
    with torch.no_grad():
        image = images(network, 1)
        scores = class_map(network, image)
        token_BTF = network.features(image)
        prefix = network.network.num_prefix_tokens
        place = token_BTF[:, prefix : prefix + 1].expand(-1, prefix + 1, -1)
        torch.testing.assert_close(scores[:, :, 0, 0], network.scores_from(place))
