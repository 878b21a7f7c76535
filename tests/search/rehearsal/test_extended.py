"""Values that a configuration adds to a space are trained a little before the first trial."""

import pytest

from search.rehearsal.extended import of_extended
from search.setting.config import parse
from search.setting.setting import Setting, prepare
from spaces.mistake import Mistake


def setting_of(extend: str) -> Setting:
    return prepare(parse(f"name: a\nspace: {{name: tiny, extend: {{{extend}}}}}\nlimits: {{max_macs: 100k}}"))


@pytest.mark.parametrize(
    ("extend", "words"),
    [
        ("architecture.resolution: [-8]", r"-8 for 'architecture\.resolution' can be trained: an image of -8 pixels"),
        ("architecture.resolution: [100000]", "nothing within the limits"),
        ("architecture.width.0: [0]", r"nothing with 0 for 'architecture\.width\.0' can be trained"),
        ("recipe.optimizer.name: [nothing]", "nothing with 'nothing' for"),
    ],
)
def test_a_value_with_which_nothing_can_be_trained_is_refused(extend: str, words: str) -> None:
    with pytest.raises(Mistake, match=words):
        list(of_extended(setting_of(extend)))


def test_values_that_can_be_trained_are_named() -> None:
    sentences = list(of_extended(setting_of("architecture.resolution: [10, 14]")))
    assert sentences == [
        f"space.extend: a candidate with {side} for 'architecture.resolution' can be trained" for side in (10, 14)
    ]
