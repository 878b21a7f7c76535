"""The network as others run it: stored images in, class scores out, with all preprocessing inside the graph."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, Self, cast

import torch
from torch import Tensor, nn

from trainables.decoding import Decoding
from trainables.preprocessing import Preprocessing, View, resize


class Backbone(Protocol):
    """What the network that a backbone's ``build`` returns has, an ``nn.Module`` in the manner of timm's models.

    Beside each member stands what reads it.
    """

    num_classes: int
    """Number of class scores; objectives that name things have as many by default."""
    num_features: int
    """Width of the map or the tokens; an export's ``config.json`` states it."""
    head_hidden_size: int
    """Width of what ``forward_head(..., pre_logits=True)`` returns; objectives fit their heads to it."""
    neck_width: int
    """Width of a hidden layer between pooled features and classifier, 0 for none: SimCLR's first projection layer."""
    default_cfg: Mapping[str, Any]
    """``input_size`` and ``num_classes``; timm's data configuration is made from it.

    With pretrained weights also ``architecture`` and ``tag``: timm's name of the model, and the weights' name.
    """

    def forward_features(self, x: Tensor) -> Tensor:
        """What objectives without labels train: a map (N, F, H, W), or tokens (N, T, F), from normalised images."""

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Class scores of those features, or the pooled features that most objectives and evaluations read."""

    def get_classifier(self) -> nn.Module:
        """The last layer: linear probing trains it alone, and pretrained weights leave it as initialised."""

    def reset_classifier(self, num_classes: int) -> Any:
        """Another number of classes, as timm's scripts ask for when they fine-tune a member."""

    def group_matcher(self, coarse: bool = False) -> Any:
        """Which layer each parameter belongs to; ``adaptation.full.layer_decay`` has a rate for each."""


class MapBackbone(Backbone, Protocol):
    """A backbone whose ``FEATURES`` are a map."""

    def forward_intermediates(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The last map and those of all sizes: masked convolution paints from every size."""


class TokenBackbone(Backbone, Protocol):
    """A backbone whose ``FEATURES`` are tokens."""

    patch_embed: nn.Module
    """From images to tokens; masked image modelling replaces some of what leaves it."""
    num_prefix_tokens: int
    """Tokens that stand for no place of the image, before the others."""


class SequenceBackbone(TokenBackbone, Protocol):
    """A backbone whose blocks take any part of the tokens: masked autoencoders show it no others."""

    def embedded(self, x: Tensor) -> Tensor:
        """All tokens of normalised images before the first block, with their positions, prefix tokens first."""

    def encoded(self, tokens: Tensor) -> Tensor:
        """What the blocks and the last norm make of any of them; of all of them, what ``forward_features`` returns."""


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Inside, a network is in evaluation mode; afterwards in the mode it had."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


class Deployable(nn.Module):
    """A network with its normalisation and resizing.

    Args:
        network: maps normalised images, shape (N, C, resolution, resolution), to class scores, shape (N, classes).
        mean: mean of each channel over the training images, in [0, 1].
        std: standard deviation of each channel, > 0.
        resolution, interpolation, crop: what the network sees of an image, see ``View``.

    Raises:
        ValueError: a standard deviation is not positive, mean and std differ in length, or the view cannot be.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        resolution: int,
        interpolation: str = "bilinear",
        crop: float = 1.0,
    ) -> None:
        super().__init__()
        if len(mean) != len(std) or not all(value > 0 for value in std):
            raise ValueError(f"need one mean and one positive std a channel, given mean {mean} and std {std}")
        self.network = network
        self.view = View(resolution=resolution, interpolation=interpolation, crop=crop)
        self.training_side: int | None = None  # what a curriculum trains at where it is not the resolution
        self._beside: tuple[nn.Module, ...] = ()
        # Not in the weights: model.safetensors fits the bare network, as timm and a retraining expect it.
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    @classmethod
    def of(cls, network: nn.Module, preprocessing: Preprocessing) -> Self:
        """A network with what is done inside the graph of its preprocessing."""
        view = preprocessing.view
        return cls(
            network,
            mean=preprocessing.mean,
            std=preprocessing.std,
            resolution=view.resolution,
            interpolation=view.interpolation,
            crop=view.crop,
        )

    def preprocessing(self, decoding: Decoding) -> Preprocessing:
        """The whole way from a file to this network, of data that are decoded so."""
        mean, std = self.normalisation
        return Preprocessing(decoding=decoding, mean=mean, std=std, view=self.view)

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Class scores (logits), shape (N, classes), of images in [0, 1]."""
        scores: Tensor = self.network(self.prepared(image_NCHW))
        return scores

    def prepared(self, image_NCHW: Tensor, *, side: int | None = None) -> Tensor:
        """Images in [0, 1] as the network sees them: normalised, and resized to its resolution or to ``side``.

        In training mode the side that a curriculum has set comes before the resolution.
        """
        own = (self.training_side if self.training else None) or self.resolution
        seen_NCHW = (self.view.middle(image_NCHW) - self.mean) / self.std
        return resize(seen_NCHW, side or own, self.interpolation)

    @property
    def resolution(self) -> int:
        """Side of the image that the network sees."""
        return self.view.resolution

    @property
    def interpolation(self) -> str:
        """How images are resized to it."""
        return self.view.interpolation

    @property
    def normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel, to six digits."""
        mean, std = (
            tuple(round(value, 6) for value in channels.flatten().tolist()) for channels in (self.mean, self.std)
        )
        return mean, std

    def blank(self) -> Tensor:
        """One empty image of the network's resolution, shape (1, C, resolution, resolution)."""
        return self.mean.new_zeros(1, self.mean.shape[1], self.resolution, self.resolution)

    def features(self, image_NCHW: Tensor, *, side: int | None = None) -> Tensor:
        """What the backbone makes of images in [0, 1] before pooling: a map (N, F, H, W), or tokens (N, T, F).

        They are resized to the network's resolution, or to ``side``, which only some networks take.
        """
        return self._body.forward_features(self.prepared(image_NCHW, side=side))

    def pooled(self, image_NCHW: Tensor, *, side: int | None = None) -> Tensor:
        """The features that the classifier sees, shape (N, width)."""
        return self._body.forward_head(self.features(image_NCHW, side=side), pre_logits=True)

    def scores_and_pooled(self, image_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Class scores and the features that they are made of, from one pass of the backbone."""
        features = self.features(image_NCHW)
        return self._body.forward_head(features), self._body.forward_head(features, pre_logits=True)

    def pooled_from(self, features: Tensor) -> Tensor:
        """The features that the classifier sees, shape (N, width), of what ``features`` returns."""
        return self._body.forward_head(features, pre_logits=True)

    def scores_from(self, features: Tensor) -> Tensor:
        """Class scores (N, classes) of what ``features`` returns."""
        return self._body.forward_head(features)

    @property
    def width(self) -> int:
        """Number of pooled features."""
        return self._body.head_hidden_size

    @property
    def has_neck(self) -> bool:
        """Whether the architecture has a hidden layer between the pooled map and the classifier, named ``neck``."""
        return self._body.neck_width > 0

    @property
    def scored(self) -> int:
        """Number of class scores."""
        return self._body.num_classes

    @property
    def classifier(self) -> nn.Module:
        """The last layer, from pooled features to class scores."""
        return self._body.get_classifier()

    @property
    def name_of_classifier(self) -> str:
        """The name of the last layer among the modules."""
        return next(str(name) for name, module in self.named_modules() if module is self.classifier)

    @property
    def texts(self) -> nn.Module | None:
        """What it was pretrained with to read texts (``trainables.language.texts.Texts``); no part of its weights."""
        return self._beside[0] if self._beside else None

    def beside(self, texts: nn.Module) -> Self:
        """The same network, that goes with a text tower."""
        self._beside = (texts,)
        return self

    @property
    def _body(self) -> Backbone:
        """The network, whose features are reached as those of every model of timm.

        Raises:
            ValueError: it does not offer its features.
        """
        if not hasattr(self.network, "forward_features") or not hasattr(self.network, "forward_head"):
            raise ValueError(
                f"{type(self.network).__name__} has no forward_features and forward_head, which every objective but "
                "the supervised ones needs; write them as timm's models have them"
            )
        return cast(Backbone, self.network)
