"""Teachers of a space's pretrainings are named in section ``weights``."""

import pytest

from search.setting.config import ConfigError
from search.setting.weights import check_weights, teachers_of
from spaces import taught, tiny
from trainables.pretrained import Source

TEACHER = {"teacher": Source(model="nars", path="runs/x/family/a")}
UNTAUGHT = {f"pretraining.{family}.objective": ["none", "simclr"] for family in ("mobile", "tiny_vit")}


def test_a_teacher_that_no_section_names_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match=r"has the teacher 'teacher' .* which section weights does not name: give"):
        check_weights(taught.space(), {})
    check_weights(taught.space(), TEACHER)


def test_a_space_restricted_to_other_objectives_has_no_teacher() -> None:
    space = taught.space().restrict(UNTAUGHT)
    assert teachers_of(space) == {}
    check_weights(space, {})
    with pytest.raises(ConfigError, match="no candidate of space 'taught' begins with weights"):
        check_weights(space, TEACHER)
    assert teachers_of(tiny.space()) == {}
