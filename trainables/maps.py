"""Features by place: the maps of any backbone, whatever layout its last features have."""

from typing import cast

from torch import Tensor

from trainables.deploy import Deployable, MapBackbone


def as_map(features: Tensor, prefix: int = 0) -> Tensor:
    """Features (B, F, H, W), (B, H, W, F) or tokens (B, T, F) as a map (B, F, h, w).

    Args:
        features: of square images.
        prefix: tokens before those that stand for places, which are left out.
    """
    if features.ndim == 4:
        return features.permute(0, 3, 1, 2) if channels_last(features) else features
    side = side_of(features, prefix)
    return features[:, prefix:].transpose(1, 2).reshape(len(features), -1, side, side)


def channels_last(features: Tensor) -> bool:
    """Whether a map is (B, H, W, F): maps are square, and no network here has as many features as positions a side."""
    return features.ndim == 4 and features.shape[1] == features.shape[2] != features.shape[3]


def width_of(features: Tensor) -> int:
    """Number of features of a map or of tokens."""
    return int(features.shape[1] if features.ndim == 4 and not channels_last(features) else features.shape[-1])


def side_of(features: Tensor, prefix: int = 0) -> int:
    """Number of places to a side of a map or of tokens."""
    return int((features.shape[1] - prefix) ** 0.5) if features.ndim == 3 else int(features.shape[2])


def prefix_tokens(network: Deployable) -> int:
    """Tokens of a backbone that stand for no place; 0 where it has maps."""
    return int(getattr(network.network, "num_prefix_tokens", 0))


def map_of(network: Deployable, image_BCHW: Tensor) -> Tensor:
    """The last features of images in [0, 1], by place, (B, F, h, w)."""
    return as_map(network.features(image_BCHW), prefix_tokens(network))


def features_and_maps(network: Deployable, image_BCHW: Tensor) -> tuple[Tensor, list[Tensor]]:
    """From one pass: what ``network.features`` gives of images in [0, 1], and what ``maps_of`` does.

    Raises:
        ValueError: the network does not give maps.
    """
    if not hasattr(network.network, "forward_intermediates"):
        raise ValueError(
            f"{type(network.network).__name__} has no forward_intermediates, which gives features of every stage; "
            "write it as timm's models have it"
        )
    last, stages = cast(MapBackbone, network.network).forward_intermediates(network.prepared(image_BCHW))
    return last, [as_map(stage) for stage in stages]


def maps_of(network: Deployable, image_BCHW: Tensor) -> list[Tensor]:
    """Features by place after each stage, or each block of a network without stages, the finest first.

    Raises:
        ValueError: the network does not give maps.
    """
    return features_and_maps(network, image_BCHW)[1]


def scores_and_maps(network: Deployable, image_BCHW: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Class scores (B, K) and ``maps_of``, from one pass.

    Raises:
        ValueError: the network does not give them.
    """
    last, maps = features_and_maps(network, image_BCHW)
    return network.scores_from(last), maps


def class_map(network: Deployable, image_BCHW: Tensor) -> Tensor:
    """Class scores of every place as if its features were all there is, (B, K, h, w), of images in [0, 1].

    What lies above the last features is used without its pooling (Yun et al. 2021, https://arxiv.org/abs/2101.05022).
    Where that is linear, the mean over places is the scores of the image. Places are those of what the network sees.
    """
    features = network.features(image_BCHW)
    alone, side = _places_alone(network, features)
    score_NK = network.scores_from(alone)
    return score_NK.reshape(len(image_BCHW), side, side, -1).permute(0, 3, 1, 2)


def pooled_places(network: Deployable, features: Tensor) -> Tensor:
    """Pooled features of every place as if it was all there is, (B, places, width).

    Args:
        network: whose features they are.
        features: what its ``features`` gives.
    """
    alone, _ = _places_alone(network, features)
    return network.pooled_from(alone).reshape(len(features), -1, network.width)


def _places_alone(network: Deployable, features: Tensor) -> tuple[Tensor, int]:
    """Every place of all images as features of an image that has no other, row by row, and places to a side."""
    prefix = prefix_tokens(network)
    side = side_of(features, prefix)
    place_NF = as_map(features, prefix).permute(0, 2, 3, 1).flatten(0, 2)
    if features.ndim == 3:  # a class token stands for the only place, too
        return place_NF[:, None].expand(-1, prefix + 1, -1), side
    return place_NF[:, None, None] if channels_last(features) else place_NF[:, :, None, None], side
