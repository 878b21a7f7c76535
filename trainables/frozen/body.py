"""The body of a network at rest: its features of images as they are, and of passes over augmented ones.

Random augmentation is recorded: a pass is all images once, augmented in batches as in training, with the targets that
came of it. At most ``PASSES`` are made, and trainings go through them again and again, so that features need not be
made anew in every epoch. Their random numbers follow from their content and number, not from a training's seed: that is
why trainings can share them.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import timm
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from trainables.deploy import Deployable, evaluating
from trainables.frozen.store import ArrayStore, Floats
from trainables.plan import Batch, Transform
from trainables.splits import Images

PASSES = 4
"""Passes over randomly augmented images that are recorded at most."""
BATCH = 64
"""Images that go through the network together."""
HASHED = 2**28
"""Bytes of images that are all looked at to name their content; of more, so many evenly spaced images are."""
SAMPLE = 2048
VERSION = 1
"""Of how features are made from what names them; raised with the meaning of an augmentation's knobs too."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded pass as what is trained on: N features of width F, and their K target probabilities.

    Attributes:
        row_NC: features and targets side by side, C = F + K.
        width: F.
    """

    row_NC: Floats
    width: int

    def __len__(self) -> int:
        return len(self.row_NC)

    def batch(self, rows_B: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Features (B, F) and target probabilities (B, K)."""
        row_BC = torch.from_numpy(np.array(self.row_NC[rows_B]))
        return row_BC[:, : self.width], row_BC[:, self.width :]


class RestingBody:
    """A network whose body stays as it is.

    Args:
        network: on its device; its classifier may change, all else does not.
        described: JSON values of the architecture, which the weights alone do not say.
        store: where features are kept.
    """

    def __init__(self, network: Deployable, described: Mapping[str, Any], store: ArrayStore) -> None:
        self._network, self._described, self._store = network, described, store

    def keeps(self, count: int, classes: int) -> bool:
        """Whether passes over so many images are kept, and the classifier alone makes scores of what is kept."""
        return self._store.takes(count, self._network.width + classes) and self._separable

    @cached_property
    def _separable(self) -> bool:
        network = self._network
        with evaluating(network), torch.no_grad():
            blank = network.blank()
            return torch.allclose(network(blank), network.classifier(network.pooled(blank)), rtol=1e-3, atol=1e-4)

    @cached_property
    def _digest(self) -> str:
        """Names what the features are made by: architecture, weights without the classifier's, preprocessing."""
        network = self._network
        last = f"{network.name_of_classifier}."
        device = next(network.parameters()).device.type
        made = [VERSION, torch.__version__, timm.__version__, device, dict(self._described), str(network.view)]
        digest = hashlib.sha256(json.dumps([*made, *network.normalisation], sort_keys=True, default=str).encode())
        for name, value in network.state_dict().items():
            if not name.startswith(last):
                digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
                digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def plain(self, images: Images) -> Tensor:
        """Pooled features of images as they are, shape (N, F), on the CPU."""
        key = _key(self._digest, digest_of(images), "plain")

        def make() -> Floats:
            with evaluating(self._network), torch.no_grad():
                return np.concatenate([self._pooled(batch) for batch in images.batches(BATCH)])

        return torch.from_numpy(np.array(self._store.array(key, make)))

    def recorded(
        self, images: Images, transforms: Sequence[Transform], augmented: Mapping[str, Any], number: int, classes: int
    ) -> Recorded:
        """A pass over images in the way that they are trained on; where nothing is random, all passes are the first.

        Args:
            images: with labels.
            transforms: of the batches.
            augmented: JSON values that say what the transforms do.
            number: of the pass, from 0; beyond ``PASSES`` they begin anew.
            classes: number of classes.
        """
        random = _draws(images, transforms, classes)
        own = number % PASSES if random else 0
        key = _key(self._digest, digest_of(images), dict(augmented), own, classes)
        seed = int(key[:15], 16)

        def make() -> Floats:
            # Whom mixup meets is to be by chance; files are in the order of their classes.
            order_N = np.random.default_rng(seed).permutation(len(images)) if random else np.arange(len(images))
            generator = torch.Generator().manual_seed(seed)
            parts = []
            with evaluating(self._network), torch.no_grad():
                for start in range(0, len(images), BATCH):
                    batch = _transformed(images, order_N[start : start + BATCH], transforms, classes, generator)
                    parts.append(np.hstack([self._pooled(batch.image_BCHW), batch.target_BK.numpy()]))
            return np.concatenate(parts).astype(np.float32)

        return Recorded(self._store.array(key, make), self._network.width)

    def _pooled(self, image_BCHW: Tensor) -> Floats:
        device = next(self._network.parameters()).device
        pooled_BF = self._network.pooled(image_BCHW.to(device, memory_format=torch.channels_last))
        features_BF: Floats = pooled_BF.float().cpu().numpy()
        return features_BF


def digest_of(images: Images) -> str:
    """Names labelled images: their number, labels and content."""
    digest = hashlib.sha256(f"{images.image_NCHW.shape}".encode())
    digest.update(np.ascontiguousarray(images.label_N).tobytes())
    rows_S = np.arange(len(images))
    if int(np.prod(images.image_NCHW.shape)) > HASHED:
        rows_S = np.linspace(0, len(images) - 1, num=SAMPLE, dtype=np.int64)
    for start in range(0, len(rows_S), BATCH):
        digest.update(np.ascontiguousarray(images.image_NCHW[rows_S[start : start + BATCH]]).tobytes())
    return digest.hexdigest()


def _key(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _transformed(
    images: Images, rows_B: NDArray[np.int64], transforms: Sequence[Transform], classes: int, generator: torch.Generator
) -> Batch:
    image_BCHW, label_B = images.batch(rows_B)
    batch = Batch(image_BCHW=image_BCHW, target_BK=F.one_hot(label_B, classes).float())
    for transform in transforms:
        batch = transform(batch, generator)
    return batch


def _draws(images: Images, transforms: Sequence[Transform], classes: int) -> bool:
    """Whether transforms draw random numbers."""
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    _transformed(images, np.arange(min(2, len(images))), transforms, classes, generator)
    return not torch.equal(before, generator.get_state())
