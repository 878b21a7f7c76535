"""Graph matching: two views of a batch are graphs, and the best matching of their nodes is to pair each image's views.

LVM-Med's pretraining, whose code was not published; our own reading: nodes are images, scored by cosines of pooled
features and of places; edges join nearest neighbours, weighted by their cosines; edges enter at the matching that
nodes and edges reach together. At ``edges`` 0 the matching is exact.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from lightly.utils.dist import gather, world_size
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.maps import as_map, prefix_tokens
from trainables.objectives._collapse import Spread, alike
from trainables.objectives._dense import PlaceHead, features_of_places
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._matching import Matching, matched_with_edges
from trainables.objectives._projection import Projection
from trainables.objectives._views import Views
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2306.11925"
LABELS = False
SUPPORTS = ("map", "tokens")
COMPARES = None
SOURCE = "own"
PER_WORKER = "the noise of the matching falls on other pairs of images"
FIXED_SIDE = False
ON_FEATURES = False
NEEDS = ()
ORDERS = ()
AT_MOST = (("edges", 256, 1),)

MOST = AT_MOST[0][1]
"""Images of a step that are matched with edges."""


def passes(**knobs: object) -> float:
    """Two views an image; the matchings are not counted."""
    del knobs
    return 2.0


def objective(
    network: Deployable,
    *,
    edges: float = 0.0,
    neighbours: int = 5,
    local: float = 0.0,
    step: float = 0.5,
    noise: float = 0.1,
    draws: int = 2,
    layers: int = 2,
    width: int = 64,
    crop: float = 0.3,
    jitter: float = 0.4,
    flip: float = 0.0,
    colour: str = "none",
) -> nn.Module:
    """Share of the images that are matched wrongly, among the images of all workers.

    Args:
        network: whose pooled features are trained; its classifier is frozen.
        edges: weight of the edges beside the nodes.
        neighbours: edges of a node.
        local: share, in [0, 1], of places in the score of two nodes: the mean over one's places of the best cosine
            with the other's.
        step: how far scores are moved against the gradient of the loss for the second matching, in cosines.
        noise: of the scores, Gumbel's, in cosines; the loss is the mean over ``draws``.
        draws: how many.
        layers, width: of the projection, see ``trainables.objectives._projection``.
        crop, jitter, flip, colour: of the views, see ``trainables.objectives._views``.

    Raises:
        ValueError: a value out of range.
    """
    if min(edges, noise) < 0 or neighbours < 1 or draws < 1 or not 0 <= local <= 1 or not step > 0:
        raise ValueError(
            "graph_match: edges and noise are at least 0, neighbours and draws at least 1, local is from 0 to 1 and "
            f"step above 0, given {edges}, {noise}, {neighbours}, {draws}, {local} and {step}"
        )
    head = Projection(network.width, width=width, layers=layers, kappa=1.0, norm=True)
    places = PlaceHead(features_of_places(network), width, width) if local else None
    return _GraphMatch(
        network,
        head,
        places,
        Views(crop=crop, jitter=jitter, flip=flip, colour=colour),
        edges=edges,
        neighbours=neighbours,
        local=local,
        step=step,
        noise=noise,
        draws=draws,
    )


class _GraphMatch(nn.Module):
    def __init__(
        self,
        network: Deployable,
        head: Projection,
        places: PlaceHead | None,
        views: Views,
        *,
        edges: float,
        neighbours: int,
        local: float,
        step: float,
        noise: float,
        draws: int,
    ) -> None:
        super().__init__()
        self.network = network
        freeze_unused(network, network.pooled)
        self.head, self.places, self._views = head, places, views
        self._edges, self._neighbours, self._local = edges, neighbours, local
        self._step, self._noise, self._draws = step, noise, draws
        self._spread, self._wrong, self._steps = Spread(), torch.zeros(()), 0

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of the images of all workers, which is the same on each."""
        views = [self._views.of(batch.image_BCHW, generator, number=number) for number in range(2)]
        features = self.network.features(torch.cat(views))
        pooled_NF = self.network.pooled_from(features)
        own_NE = F.normalize(self.head(pooled_NF))
        if self.training:
            self._spread.note(pooled_NF.chunk(2)[0], own_NE.chunk(2)[0])
        one_NE, other_NE = (_of_all(own_BE) for own_BE in own_NE.chunk(2))
        if self._edges and len(one_NE) > MOST:
            raise ValueError(
                f"graph_match: {len(one_NE)} images with edges would take minutes a step; use batches of {MOST} at "
                "most, over all workers, or set edges to 0"
            )
        score_NN = one_NE @ other_NE.T
        if self.places is not None:
            place_NEP = F.normalize(self.places(as_map(features, prefix_tokens(self.network))).flatten(2), dim=1)
            one_NEP, other_NEP = (_of_all(place_BEP) for place_BEP in place_NEP.chunk(2))
            score_NN = torch.lerp(score_NN, of_places(one_NEP, other_NEP), self._local)
        if self._edges:
            score_NN = score_NN + self._edges * self._of_edges(score_NN, one_NE, other_NE)
        loss = torch.stack([self._wrongly(score_NN, generator) for _ in range(self._draws)]).mean()
        if self.training:
            self._wrong, self._steps = self._wrong.to(loss.device) + loss.detach(), self._steps + 1
        return loss

    def _wrongly(self, score_NN: Tensor, generator: torch.Generator) -> Tensor:
        """Share of the images that are matched wrongly at scores with noise."""
        count = len(score_NN)
        uniform_NN = torch.rand(score_NN.shape, generator=generator).clamp_min(1e-9).to(score_NN.device)
        noisy_NN = score_NN - self._noise * (-uniform_NN.log()).log()
        match_NN: Tensor = Matching.apply(noisy_NN, self._step)
        true_NN = torch.eye(count, device=score_NN.device)
        return (match_NN * (1 - true_NN) + true_NN * (1 - match_NN)).sum() / (2 * count)

    def _of_edges(self, score_NN: Tensor, one_NE: Tensor, other_NE: Tensor) -> Tensor:
        """What edges add to the score of each pair of nodes at the matching of nodes and edges together."""
        one_NN, other_NN = (graph(direction_NE, self._neighbours) for direction_NE in (one_NE, other_NE))
        column_N = matched_with_edges(
            score_NN.detach().double().cpu().numpy(),
            (self._edges * one_NN).detach().double().cpu().numpy(),
            other_NN.detach().double().cpu().numpy(),
        )
        return 2 * one_NN @ other_NN[torch.from_numpy(column_N)]

    def watched(self) -> dict[str, float]:
        """``wrong``: the epoch's share of wrong matches, 1 - 1 / images at random; and the last batch's spread."""
        wrong = float(self._wrong) / max(1, self._steps)
        self._wrong, self._steps = torch.zeros(()), 0
        return {**self._spread.values(), "wrong": wrong}

    def trouble(self, values: Mapping[str, float]) -> str | None:
        """That all projections are alike, if so."""
        return alike("graph_match", values)


def of_places(one_NEP: Tensor, other_MEP: Tensor) -> Tensor:
    """Mean over the places of a map of the best cosine with a place of another, for each pair of maps (N, M)."""
    best_NMP = torch.stack([(one_EP.T @ other_MEP).amax(dim=2) for one_EP in one_NEP])
    return best_NMP.mean(dim=2)


def graph(direction_NE: Tensor, neighbours: int) -> Tensor:
    """Cosines above 0 between each node and its nearest ones, 0 elsewhere; symmetric, (N, N)."""
    cosine_NN = direction_NE @ direction_NE.T
    alone_NN = cosine_NN - 2 * torch.eye(len(cosine_NN), device=cosine_NN.device)
    nearest = alone_NN.topk(min(neighbours, len(cosine_NN) - 1), dim=1).indices
    joined_NN = torch.zeros_like(cosine_NN).scatter(1, nearest, 1.0)
    return cosine_NN.clamp_min(0) * torch.maximum(joined_NN, joined_NN.T)


def _of_all(own: Tensor) -> Tensor:
    """Rows of all workers, with gradients."""
    if torch.distributed.is_initialized() and world_size() > 1:
        return torch.cat(gather(own))
    return own
