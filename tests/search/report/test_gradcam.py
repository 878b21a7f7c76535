import pytest
import torch
from torch import nn

from search.report.gradcam import gradcam


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
