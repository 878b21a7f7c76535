"""Three families in one space: FBNetV3's networks, ResNet-RS and TinyViT, with a recipe that suits all of them."""

from spaces import fbnetv3, resnet_rs, tiny_vit
from spaces.joined import join
from spaces.space import Space
from spaces.timm_models import of_models


def space() -> Space:
    """The space: the sum of the families' architectures x the recipes of ``timm_models`` (batches of 256)."""
    general = of_models("recipe", names=("resnet18",), resolutions=(224,))
    families = (fbnetv3.space(), resnet_rs.space(), tiny_vit.space())
    return join("imagenet", families, recipe=general.recipe, conditions=general.conditions)
