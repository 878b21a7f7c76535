"""Clusters of texts that images predict, and of images that texts predict (ProtoCLIP, Chen et al. 2022)."""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans
from torch import Tensor, nn

from trainables.language.pairs import Pairs


def check_clusters(clusters: int, queue: int, episode: int, softness: float) -> None:
    """That pairs can be grouped so, as ``Prototypes`` says.

    Raises:
        ValueError: they cannot.
    """
    if clusters < 2 or queue < clusters or episode < 1 or softness < 0:
        raise ValueError(
            "prototypes have at least 2 clusters, a queue that holds as many, an episode of a step or more and a "
            f"softness of at least 0, given {clusters}, {queue}, {episode} and {softness}"
        )


class Prototypes(nn.Module):
    """Cross-entropy of finding the cluster of an image's text from the image, and of a text's image from the text.

    Every ``episode`` steps, the newest pairs of all workers are grouped by k-means, images and texts apart. A cluster
    of texts stands among images as the mean direction of its images, so that it does not matter how far images lie from
    texts (the paper's back translation), or as its own centroid.

    Args:
        width: of the directions.
        clusters: of images, and of texts.
        queue: pairs that are grouped.
        episode: steps between two groupings; the first is made when the queue is full.
        softness: temperature of the target over clusters, by their cosines with the right one; 0 for that one alone.
        translate: whether a cluster stands as the mean of the other side.

    Raises:
        ValueError: a value out of range.
    """

    image_QE: Tensor
    text_QE: Tensor
    steps: Tensor
    filled: Tensor
    of_images_PE: Tensor
    of_texts_PE: Tensor
    among_images_PE: Tensor
    among_texts_PE: Tensor

    def __init__(
        self, width: int, *, clusters: int, queue: int, episode: int, softness: float, translate: bool
    ) -> None:
        super().__init__()
        check_clusters(clusters, queue, episode, softness)
        for name in ("image_QE", "text_QE"):
            self.register_buffer(name, torch.zeros(queue, width))
        for name in ("of_images_PE", "of_texts_PE", "among_images_PE", "among_texts_PE"):
            self.register_buffer(name, torch.zeros(clusters, width))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))
        self._clusters, self._episode, self._softness, self._translate = clusters, episode, softness, translate

    def forward(self, pairs: Pairs) -> Tensor:
        """The mean over this worker's images that have a text; 0 before the first grouping."""
        if self.training:
            self.remember(pairs)
        if not self.of_texts_PE.any():
            return pairs.image_BE.sum() * 0.0
        images = self._missed(pairs, pairs.image_BE, self.among_images_PE, pairs.text_BE, self.of_texts_PE)
        texts = self._missed(pairs, pairs.text_BE, self.among_texts_PE, pairs.image_BE, self.of_images_PE)
        return (images + texts) / 2

    def _missed(self, pairs: Pairs, own_BE: Tensor, among_PE: Tensor, other_BE: Tensor, centroid_PE: Tensor) -> Tensor:
        there_B = pairs.there_N[pairs.first : pairs.first + len(own_BE)]
        loss_B = F.cross_entropy(
            pairs.scale * own_BE @ among_PE.T, self.targets(other_BE, centroid_PE), reduction="none"
        )
        return (loss_B * there_B).sum() * pairs.workers / pairs.there_N.sum().clamp_min(1)

    @torch.no_grad()
    def targets(self, row_BE: Tensor, centroid_PE: Tensor) -> Tensor:
        """Shares (B, P) of the clusters: the nearest, and those like it."""
        nearest_B = torch.cdist(row_BE, centroid_PE).argmin(dim=1)
        if not self._softness:
            return F.one_hot(nearest_B, len(centroid_PE)).to(row_BE.dtype)
        direction_PE = F.normalize(centroid_PE, dim=1)
        return (direction_PE[nearest_B] @ direction_PE.T / self._softness).softmax(dim=1)

    @torch.no_grad()
    def remember(self, pairs: Pairs) -> None:
        """Put the pairs of a batch in place of the oldest, and group them if it is time."""
        for queue_QE, new_NE in ((self.image_QE, pairs.image_NE), (self.text_QE, pairs.text_NE)):
            queue_QE.copy_(torch.cat([new_NE[pairs.there_N].detach(), queue_QE])[: len(queue_QE)])
        self.filled.add_(pairs.there_N.sum()).clamp_(max=len(self.image_QE))
        if int(self.filled) < len(self.image_QE):
            return
        if int(self.steps) % self._episode == 0:
            self.group()
        self.steps.add_(1)

    def group(self) -> None:
        """Make clusters of what is remembered."""
        image_Q = self._centred(self.image_QE, self.of_images_PE)
        text_Q = self._centred(self.text_QE, self.of_texts_PE)
        for among_PE, own_PE, side_QE, cluster_Q in (
            (self.among_images_PE, self.of_texts_PE, self.image_QE, text_Q),
            (self.among_texts_PE, self.of_images_PE, self.text_QE, image_Q),
        ):
            among_PE.copy_(F.normalize(means(side_QE, cluster_Q, len(own_PE)) if self._translate else own_PE, dim=1))

    def _centred(self, row_QE: Tensor, centroid_PE: Tensor) -> Tensor:
        """The cluster of each row, by k-means whose centroids are kept; the same on all workers."""
        seed = int(self.steps) % 2**32
        found = KMeans(self._clusters, n_init=1, max_iter=20, random_state=seed).fit(
            row_QE.cpu().numpy().astype(np.float64)
        )
        centroid_PE.copy_(torch.from_numpy(found.cluster_centers_).to(centroid_PE))
        return torch.from_numpy(found.labels_.astype(np.int64)).to(row_QE.device)


def means(row_QE: Tensor, cluster_Q: Tensor, clusters: int) -> Tensor:
    """Mean of the rows of each cluster, shape (P, E); 0 for one without rows."""
    member_PQ = F.one_hot(cluster_Q, clusters).T.to(row_QE.dtype)
    return member_PQ @ row_QE / member_PQ.sum(dim=1, keepdim=True).clamp_min(1.0)
