"""What backbones of stages have in common: stem, stages of blocks, norm and pooled head, under the names of timm."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn


class Stages(nn.Module):
    """Stem, stages and pooled head.

    Args:
        stem: from images (N, C, H, W) to the map of the first stage.
        stages: each from a map to a map; the first module of a stage may make the map smaller.
        norm: of the last map.
        width: channels of the last map.
        classes: outputs of the classifier.
        channels, resolution: of the input image; kept in ``default_cfg``.
        neck: width of a hidden layer below the classifier, see ``_neck``; 0 is none.
        dropout: probability before the classifier.
    """

    num_prefix_tokens = 0

    def __init__(
        self,
        stem: nn.Module,
        stages: Sequence[nn.Module],
        norm: nn.Module,
        width: int,
        *,
        classes: int,
        channels: int,
        resolution: int,
        neck: int,
        dropout: float,
    ) -> None:
        from trainables.backbones._neck import neck as build_neck

        super().__init__()
        self.patch_embed = stem
        self.stages = nn.Sequential(*stages)
        self.norm = norm
        self.neck = build_neck(width, neck) if neck else nn.Identity()
        self.head: nn.Module = nn.Linear(neck or width, classes)
        self.num_classes, self.num_features, self.head_hidden_size = classes, width, neck or width
        self.neck_width, self.drop_rate = neck, dropout
        self.default_cfg = {"input_size": (channels, resolution, resolution), "num_classes": classes}
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores (N, classes)."""
        return self.forward_head(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """The last map (N, width, h, w)."""
        features: Tensor = self.norm(self.stages(self.patch_embed(x)))
        return features

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Class scores of the last map, or what the classifier reads of it."""
        pooled = F.dropout(self.neck(x.mean(dim=(2, 3))), self.drop_rate, self.training)
        return pooled if pre_logits else self.head(pooled)

    def forward_intermediates(self, x: Tensor, **ignored: Any) -> tuple[Tensor, list[Tensor]]:
        """The last map, and that of every stage; the last of these is the last map."""
        del ignored  # timm's, of which the defaults hold
        *maps, last = accumulate(self.stages, lambda map_BCHW, stage: stage(map_BCHW), initial=self.patch_embed(x))
        features: Tensor = self.norm(last)
        return features, [*maps[1:], features]

    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.head

    def reset_classifier(self, num_classes: int) -> None:
        """Another number of classes; 0 leaves the pooled features."""
        self.num_classes = num_classes
        self.head = nn.Linear(self.head_hidden_size, num_classes) if num_classes else nn.Identity()

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Layers as timm names them: the stem, every block (every stage where ``coarse``), and what follows."""
        block = r"^stages\.(\d+)" if coarse else r"^stages\.(\d+)\.(\d+)"
        return {"stem": r"^patch_embed", "blocks": [(block, None), (r"^norm", (99999,))]}


def _initialise(module: nn.Module) -> None:
    """Linear layers as in transformers; convolutions stay as torch makes them."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
