import numpy as np
import pytest
import torch
from torch import nn

from tests.trainables.small import network as small_network
from trainables.assess.gradcam import energies, gradcam, grids, last_map, points_right, with_random_weights
from trainables.data import digits
from trainables.splits import Images


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 5, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(5, 4),
    ).eval()  # fmt: skip


def test_a_pooled_linear_head_has_its_class_activation_map() -> None:
    """There the gradient is the class's weight over the number of positions, so that Grad-CAM x HW is CAM."""
    model, images, classes = network(), torch.rand(3, 1, 8, 8), torch.tensor([0, 3, 1])
    with torch.no_grad():
        features_NCHW = model[:3](images)
        cam_NHW = torch.einsum("nc,nchw->nhw", model[-1].weight[classes], features_NCHW).relu()
    torch.testing.assert_close(gradcam(model, images, classes) * 64, cam_NHW)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    torch.testing.assert_close(gradcam(model, images, classes) * 64, cam_NHW)
    assert all(not module._forward_hooks for module in model.modules())


def test_a_smaller_map_is_scaled_to_the_image() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 3, stride=2), nn.Conv2d(3, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert gradcam(model.eval(), torch.rand(2, 1, 9, 9), torch.tensor([0, 1])).shape == (2, 9, 9)


def test_what_cannot_be_explained_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="evaluation mode"):
        gradcam(network().train(), torch.rand(1, 1, 8, 8), torch.tensor([0]))
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 4)).eval()
    with pytest.raises(ValueError, match="more than one position"):
        gradcam(flat, torch.rand(1, 1, 8, 8), torch.tensor([0]))


class Block(nn.Module):
    """A convolution, its norm, and the sum with what came in."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.layers(x) + x)


def test_the_map_is_that_after_normalisation_and_the_sum_with_the_shortcut() -> None:
    torch.manual_seed(0)
    block = Block()
    model = nn.Sequential(block, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    image = torch.rand(2, 1, 6, 6, requires_grad=True)
    assert last_map(model, image) is block
    with torch.no_grad():
        cam_NHW = torch.einsum("nc,nchw->nhw", model[-1].weight[[2, 0]], block(image)).relu() / 36
    torch.testing.assert_close(gradcam(model, image, torch.tensor([2, 0])), cam_NHW)


def test_a_canvas_has_one_image_of_its_class() -> None:
    label_N = np.arange(30) % 3
    pixels = np.broadcast_to(label_N.astype(np.uint8)[:, None, None, None], (30, 1, 4, 4))
    images = Images(image_NCHW=np.ascontiguousarray(pixels), label_N=label_N)
    image_BCHW, class_B, cell_B = grids(images, 60, np.random.default_rng(0))
    assert image_BCHW.shape == (60, 1, 8, 8)
    assert class_B.bincount().tolist() == [20, 20, 20]
    label_B4 = (255 * image_BCHW[:, 0, ::4, ::4]).round().long().flatten(1)  # each image is all of its label
    assert torch.equal(label_B4.gather(1, cell_B[:, None])[:, 0], class_B)
    assert ((label_B4 == class_B[:, None]).sum(1) == 1).all()


def test_maps_point_where_they_are_largest() -> None:
    map_BHW = torch.zeros(3, 6, 6)
    map_BHW[0, 1, 5], map_BHW[1, 4, 2], map_BHW[1, 0, 0] = 1.0, 3.0, 1.0
    assert points_right(map_BHW, torch.tensor([1, 2, 0])).tolist() == [True, True, False]
    assert points_right(map_BHW, torch.tensor([0, 0, 0])).tolist() == [False, False, False]
    assert energies(map_BHW, torch.tensor([1, 2, 0])).tolist() == [1.0, 0.75, 0.0]


def test_random_weights_are_others_and_come_from_the_seed() -> None:
    splits = digits.load()
    judge = small_network("simclr").eval()
    first, again, other = (with_random_weights(judge, splits.train, seed).state_dict() for seed in (1, 1, 2))
    weights = [name for name, value in judge.named_parameters() if value.ndim > 1]
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in weights)
    assert not any(torch.equal(first[name], judge.state_dict()[name]) for name in weights)
