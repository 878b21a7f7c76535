import re

import torch
from torch import nn

from search.report.sections.mistakes import MOST, section
from tests.search.report.examples import IMAGES, evidence, whole_run


class Always(nn.Module):
    """Names one class."""

    def __init__(self, label: int) -> None:
        super().__init__()
        self._label = label

    def forward(self, image_NCHW: torch.Tensor) -> torch.Tensor:
        return torch.eye(2)[self._label].expand(len(image_NCHW), 2)


def test_mistakes_of_the_member_that_is_best_on_search_validation():
    shown = section(whole_run())
    wrong = len(whole_run().answers["member-2"].mistakes)
    assert shown.text.startswith(f"Of {len(IMAGES)} test images member-2 gets {wrong} wrong")
    titles = [axis.get_title() for axis in shown.figure.axes if axis.get_title()]
    assert len(titles) == min(MOST, wrong)
    assert all(re.fullmatch(r"(cat|<dog>) \(\d+%\)\nis (cat|<dog>)", title) for title in titles)


def test_a_member_without_mistakes_has_no_picture():
    images = IMAGES.take(IMAGES.label_N.nonzero()[0])
    shown = section(evidence(networks={"member-1": Always(1).eval()}, test=images))
    assert shown.figure is None
    assert "is right on all 4 test images" in shown.text
