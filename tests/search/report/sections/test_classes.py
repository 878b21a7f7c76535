import numpy as np
import torch
from torch import nn

from search.report.sections.classes import confusion, section
from tests.search.report.examples import whole_run
from trainables.splits import Images


class Brightness(nn.Module):
    """Class 1 for bright images, 0 for dark ones."""

    def forward(self, image_NCHW: torch.Tensor) -> torch.Tensor:
        bright_N = image_NCHW.mean(dim=(1, 2, 3))
        return torch.stack([0.5 - bright_N, bright_N - 0.5, torch.full_like(bright_N, -1.0)], dim=1)


def test_confusion_by_hand():
    brightness_N = np.array([0, 0, 255, 255, 255], dtype=np.uint8)
    images = Images(
        image_NCHW=np.broadcast_to(brightness_N[:, None, None, None], (5, 1, 2, 2)), label_N=np.array([0, 2, 0, 1, 1])
    )
    np.testing.assert_array_equal(confusion(Brightness(), images, 3), [[1, 1, 0], [0, 2, 0], [1, 0, 0]])


def test_each_member_has_its_accuracy_by_class():
    run = whole_run()
    table = section(run).table.set_index("class")
    counts = confusion(run.networks["member-2"], run.test, 2)
    assert table.columns.tolist() == ["member-1", "member-2"]
    assert table.loc["<dog>", "member-2"] == counts[1, 1] / counts[1].sum()
