"""A hidden layer between pooled features and classifier, which pretraining by projection trains and fine-tuning keeps.

SimCLRv2 fine-tunes from the first layer of its projection head instead of from below it (Chen et al., 2020, section 2;
https://arxiv.org/abs/2006.10029). Such a layer is part of the network that is deployed, so it is one of architecture.
"""

from timm.models.mobilenetv3 import MobileNetV3
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional


def neck(inputs: int, width: int) -> nn.Sequential:
    """The first layer of a projection head: linear without bias, batch norm, ReLU."""
    return nn.Sequential(nn.Linear(inputs, width, bias=False), nn.BatchNorm1d(width), nn.ReLU())


class NeckedMobileNetV3(MobileNetV3):  # type: ignore[misc]
    """timm's network with a neck."""

    def add_neck(self, width: int) -> None:
        """Put the neck above the pooled head; the classifier is made anew."""
        self.neck = neck(self.get_classifier().in_features, width)
        self.head_hidden_size: int = width  # what timm's reset_classifier reads
        self.classifier = nn.Linear(width, self.num_classes)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """As timm's, with the neck before the dropout."""
        x = self.flatten(self.act2(self.norm_head(self.conv_head(self.global_pool(x)))))
        x = functional.dropout(self.neck(x), self.drop_rate, self.training)
        return x if pre_logits else self.classifier(x)


class NeckedVisionTransformer(VisionTransformer):  # type: ignore[misc]
    """timm's transformer with a neck, and with what shows its blocks a part of the tokens."""

    fc_norm: nn.Module

    def embedded(self, x: Tensor) -> Tensor:
        """As ``trainables.deploy.SequenceBackbone`` says."""
        tokens: Tensor = self._pos_embed(self.patch_embed(x))
        return tokens

    def encoded(self, tokens: Tensor) -> Tensor:
        """As ``trainables.deploy.SequenceBackbone`` says."""
        encoded: Tensor = self.norm(self.blocks(self.norm_pre(tokens)))
        return encoded

    def add_neck(self, width: int) -> None:
        """Put the neck above the pooled and normalised tokens; the classifier is made anew."""
        self.fc_norm = nn.Sequential(self.fc_norm, neck(self.embed_dim, width))
        self.head_hidden_size = self.neck_width = width
        self.reset_classifier(self.num_classes)

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """As timm's, of the neck's width."""
        super().reset_classifier(num_classes, global_pool)
        if num_classes:
            self.head = nn.Linear(self.head_hidden_size, num_classes)
