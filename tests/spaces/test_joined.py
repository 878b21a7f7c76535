from dataclasses import replace

import numpy as np
import pytest

from spaces import components, imagenet, pretrained_families, pretraining, resnet_rs, tiny
from spaces.dimensions import Value
from spaces.joined import FAMILY, join
from spaces.mistake import Mistake
from spaces.sampling import uniform
from trainables.counting.statistics import count


def test_a_joined_candidate_is_the_candidate_of_its_familys_own_space() -> None:
    space, own = imagenet.space(), resnet_rs.space()
    only = space.restrict({FAMILY: ("resnet",)})
    codes_ND = uniform(only, 20, np.random.default_rng(0))
    joined = only.decode(codes_ND)
    assert {candidate.backbone for candidate in joined} == {"resnet"}
    assert set(joined[0].architecture) == set(own.architecture)
    assert np.array_equal(space.decode(space.encode(joined)), joined)


def test_joined_counts_are_the_families_own_counts() -> None:
    space, own = imagenet.space(), resnet_rs.space()
    codes_ND = uniform(own, 30, np.random.default_rng(1))
    recipe = space.decode(uniform(space, 1, np.random.default_rng(2)))[0].recipe
    moved = [type(c)(backbone=c.backbone, objective=c.objective, architecture=c.architecture, recipe=recipe)
             for c in own.decode(codes_ND)]  # fmt: skip
    joined, alone = (count(s, c, classes=10, channels=3) for s, c in ((space, space.encode(moved)), (own, codes_ND)))
    assert np.array_equal(joined.macs_N, alone.macs_N)
    assert np.array_equal(joined.features["macs_share.2"], alone.features["macs_share.2"])
    assert (joined.features["mean_kernel"] == 0).all()  # a feature of another family


def test_the_size_is_the_sum_of_the_families() -> None:
    space = imagenet.space()
    parts = [space.restrict({FAMILY: (name,)}).count("architecture") for name in space.architecture["backbone"].values]
    assert space.count("architecture") == sum(parts)


def test_one_backbone_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="given mobile, mobile"):
        join("twice", (tiny.space(), tiny.space()), recipe={}, conditions={})


def test_a_candidate_of_another_backbone_is_refused() -> None:
    candidate = resnet_rs.space().decode(uniform(resnet_rs.space(), 1, np.random.default_rng(0)))[0]
    with pytest.raises(ValueError, match="has the backbone 'resnet'"):
        tiny.space().encode([candidate])


def test_a_candidate_of_another_objective_is_refused() -> None:
    candidate = tiny.space().decode(uniform(tiny.space(), 1, np.random.default_rng(0)))[0]
    with pytest.raises(ValueError, match=r"has the objective 'nothing', space 'tiny' has 'supervised'"):
        tiny.space().encode([replace(candidate, objective="nothing")])


def test_families_are_pretrained_by_objectives_that_find_what_they_need_in_them() -> None:
    space = pretrained_families.space()
    for family in space.architecture["backbone"].values:
        features = set(components.load(components.BACKBONES, str(family)).FEATURES)
        offered = [str(name) for name in space.pretraining[f"{family}.objective"].values if name != "none"]
        suiting = {
            name: set(components.load(components.OBJECTIVES, name).SUPPORTS) & features
            for name in (*offered, "spark", "simmim")
        }
        assert [name for name in offered if not suiting[name]] == []
        assert {name for name, suits in suiting.items() if suits} == set(offered)


FAMILIES = ("mobile", "tiny_vit")


def test_further_values_stand_behind_the_others_whose_codes_stay() -> None:
    plain = pretraining.space()
    address = "pretraining.mobile.source"
    wider = plain.extend({address: ["photos"]})
    assert wider.dimension(address).values == (*plain.dimension(address).values, "photos")
    codes_ND = uniform(plain, 50, np.random.default_rng(0))
    assert wider.decode(codes_ND) == plain.decode(codes_ND)
    assert plain.extend({}).addresses == plain.addresses


def test_an_address_without_a_family_restricts_every_family_that_is_left() -> None:
    space = pretraining.space()
    scratch = space.restrict({"pretraining.objective": ["none"]})
    assert scratch.addresses == space.restrict({f"pretraining.{one}.objective": ["none"] for one in FAMILIES}).addresses
    assert not any(address.endswith(".share") for address in scratch.addresses)
    masked = space.restrict({"architecture.backbone": ["tiny_vit"], "pretraining.objective": ["simmim"]})
    assert masked.dimension("pretraining.tiny_vit.objective").values == ("simmim",)
    with pytest.raises(Mistake, match=r"'pretraining\.mobile\.objective' can't take"):
        space.restrict({"pretraining.objective": ["simmim"]})
    with pytest.raises(Mistake, match=r"no 'pretraining\.objektive'; nearest are .*pretraining\.mobile\.objective"):
        space.restrict({"pretraining.objektive": ["none"]})


@pytest.mark.parametrize(
    ("address", "values", "words"),
    [
        ("pretraining.source", ["photos"], "has no 'pretraining.source'; nearest are .*pretraining.mobile.source"),
        ("pretraining.mobile.source", ["own"], "has a value of .* twice; it has own, fractals"),
        ("pretraining.mobile.source", [3], "can't take .*3.*: it has own, fractals, of another kind"),
        ("recipe.optimizer.weight_decay", [0.5], "no value can be added"),
    ],
)
def test_what_cannot_be_a_further_value_is_one_sentence(address: str, values: list[Value], words: str) -> None:
    with pytest.raises(Mistake, match=words):
        pretraining.space().extend({address: values})
