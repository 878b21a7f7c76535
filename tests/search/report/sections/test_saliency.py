import pytest
import torch
from torch import nn

from search.report.sections.saliency import heatmaps, section
from tests.search.products import network
from tests.search.report.examples import IMAGES, evidence


def test_maps_are_of_evenly_chosen_images_with_their_labels():
    maps = heatmaps(network(classes=2), IMAGES, count=4)
    assert [one.true for one in maps] == [IMAGES.label_N[row] for row in (0, 3, 5, 8)]
    assert all(one.map_HW.shape == (12, 12) and one.map_HW.min() >= 0 and one.map_HW.max() <= 1 for one in maps)


def test_a_network_without_convolutions_has_no_map():
    torch.manual_seed(0)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(144, 2)).eval()
    shown = section(evidence(count=3, networks={"linear": linear}))
    assert shown.figure is None
    assert "No member has a map with several positions" in shown.text


def test_a_network_in_training_mode_is_an_error():
    with pytest.raises(ValueError, match="evaluation mode"):
        heatmaps(network(classes=2).train(), IMAGES)
