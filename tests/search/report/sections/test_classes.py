import numpy as np
import torch
from torch import nn

from search.report.answers import answers_of
from search.report.sections.classes import section
from tests.search.products import network
from tests.search.report.examples import evidence, whole_run
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
    answers = answers_of(Brightness(), images, 3)
    np.testing.assert_array_equal(answers.confusion_KK, [[1, 1, 0], [0, 2, 0], [1, 0, 0]])
    assert answers.accuracy == 3 / 5
    assert answers.balanced == (1 / 2 + 1 + 0) / 3, "each class counts alike"


def test_each_member_has_its_accuracy_by_class():
    run = whole_run()
    table = section(run).table.set_index("class")
    counts = run.answers["member-2"].confusion_KK
    assert table.columns.tolist() == ["test images", "member-1", "member-2"]
    assert table.loc["<dog>", "member-2"] == counts[1, 1] / counts[1].sum()
    assert table.loc["all images", "member-2"] == np.diag(counts).sum() / counts.sum()


def test_a_class_without_test_images_has_no_accuracy():
    run = evidence(classes=("cat", "<dog>", "bird"), networks={"member-1": network(classes=3)})
    table = section(run).table.set_index("class")
    assert table.loc["bird", "member-1"] == "no image"
    assert table.loc["balanced", "member-1"] == table.loc[["cat", "<dog>"], "member-1"].astype(float).mean()
