"""Features by place: the maps of any backbone, whatever layout its last features have."""

from torch import Tensor

from trainables.deploy import Deployable


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
