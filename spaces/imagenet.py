"""Three families in one space: FBNetV3's networks, ResNet-RS and TinyViT, with a recipe that suits all of them."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from spaces import fbnetv3, resnet_rs, tiny_vit
from spaces.dimensions import Value
from spaces.joined import join
from spaces.reference import Reference
from spaces.space import Space
from spaces.timm_models import of_models


def space() -> Space:
    """The space: the sum of the families' architectures x the recipes of ``timm_models`` (batches of 256)."""
    general = of_models("recipe", names=("resnet18",), resolutions=(224,))
    families = (fbnetv3.space(), resnet_rs.space(), tiny_vit.space())
    return join("imagenet", families, recipe=general.recipe, conditions=general.conditions)


def references() -> Iterator[Reference]:
    """Those of the three families under this space's schedule; their stochastic depth has no place in its recipe."""
    recipe = space().recipe
    fixed = {address: dimension.values[0] for address, dimension in recipe.items() if len(dimension.values) == 1}
    unmentioned: dict[str, Value] = {"label_smoothing.rate": 0.0, "augment.erase": 0.0}
    for reference in chain(fbnetv3.references(), resnet_rs.references(), tiny_vit.references()):
        candidate = reference.candidate
        yield replace(reference, candidate=replace(candidate, recipe={**unmentioned, **candidate.recipe, **fixed}))
