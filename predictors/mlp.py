"""FBNetV3's predictor (Dai et al., CVPR 2021, section 3.1): an encoder pretrained on free statistics, then two heads.

    architecture columns -> encoder -> embedding -> proxy head -> statistics            (pretraining, smooth L1)
    embedding + recipe columns + statistics -> score head -> score                      (50 epochs frozen, 50 all)

The recipe enters at the score head only. Statistics enter there too, which the paper does not do. The members of the
ensemble are trained side by side, as one batched product a layer; each leaves out one fold of the rows.
"""

import itertools
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from predictors.parts.calibration import inflation, shared_spread
from predictors.parts.derived import extended
from predictors.parts.inputs import check_columns, check_scores
from predictors.parts.scaler import Scaler, scaler
from predictors.parts.targets import targets
from predictors.protocol import Floats, Prediction
from spaces.encoding import Layout

NEEDS: tuple[str, ...] = ()

ENCODER = (128, 64, 24)
HEAD = (64, 1)
FROZEN_EPOCHS = OPEN_EPOCHS = 50
RATE, OPEN_RATE, PRETRAINING_RATE = 3e-3, 1e-3, 2e-3
STEPS = 8
"""Gradient steps an epoch, whatever the number of rows."""
PRETRAINING_EPOCHS, PRETRAINING_BATCH = 10, 128
WEIGHT_DECAY = 1e-3
PIN = 0.1
"""Weight of Huber's loss beside the pairwise one, which leaves the scale of scores open."""

Layers = list[tuple[Tensor, Tensor]]


def _layers(widths: tuple[int, ...], members: int, generator: torch.Generator) -> Layers:
    """Weights (B, in, out) and biases (B, 1, out), uniform in +-1/sqrt(in) as torch.nn.Linear draws them."""
    layers = []
    for fan_in, fan_out in itertools.pairwise(widths):
        bound = max(fan_in, 1) ** -0.5
        drawn = torch.rand((members, fan_in + 1, fan_out), generator=generator) * 2 * bound - bound
        layers.append((drawn[:, :fan_in].clone().requires_grad_(), drawn[:, fan_in:].clone().requires_grad_()))
    return layers


def _apply(layers: Layers, h_BNF: Tensor) -> Tensor:
    """Linear layers with ReLU between them."""
    for depth, (weight, bias) in enumerate(layers):
        h_BNF = torch.baddbmm(bias, functional.relu(h_BNF) if depth else h_BNF, weight)
    return h_BNF


def huber(score_BN: Tensor, t_N: Tensor, used_BN: Tensor) -> Tensor:
    """Huber's loss (delta 1) over the rows each member uses, mean over rows, sum over members."""
    loss_BN = functional.huber_loss(score_BN, t_N.expand_as(score_BN), reduction="none")
    return ((loss_BN * used_BN).sum(1) / used_BN.sum(1).clamp(min=1)).sum()


def pairwise(score_BN: Tensor, t_N: Tensor, used_BN: Tensor) -> Tensor:
    """Logistic loss over pairs that differ in score, plus ``PIN`` times Huber's; mean over pairs, sum over members."""
    better_NN = (t_N[:, None] > t_N[None, :]).float()
    counted_BNN = better_NN * used_BN[:, :, None] * used_BN[:, None, :]
    loss_BNN = functional.softplus(score_BN[:, None, :] - score_BN[:, :, None])
    ranking = ((loss_BNN * counted_BNN).sum((1, 2)) / counted_BNN.sum((1, 2)).clamp(min=1)).sum()
    return ranking + PIN * huber(score_BN, t_N, used_BN)


LOSSES = {"huber": huber, "pairwise": pairwise}


class Model:
    """An ensemble of the paper's networks, on the targets of ``predictors.parts.targets``.

    Args:
        layout: the columns of x_NF.
        rng: seeds weights and batches, at construction: every ``fit`` draws the same.
        loss: ``huber`` as in the paper, or ``pairwise`` (logistic, with a small share of Huber's).
        members: size of the ensemble.

    Raises:
        ValueError: an unknown loss, or fewer than two members.
    """

    def __init__(
        self,
        *,
        layout: Layout,
        rng: np.random.Generator,
        loss: Literal["huber", "pairwise"] = "huber",
        members: int = 5,
    ) -> None:
        if loss not in LOSSES or members < 2:
            raise ValueError(f"mlp: loss is one of {', '.join(LOSSES)}, members >= 2; given '{loss}' and {members}")
        self.layout, self.members, self._loss = layout, members, LOSSES[loss]
        self._architecture = layout.of_role("architecture")
        self._seed = int(rng.integers(2**31 - 1))
        self._pretrained: tuple[Layers, Scaler] | None = None
        self._head: Layers = []

    def pretrain(self, x_NF: Floats, s_NK: Floats) -> None:
        """Learn the encoder from statistics: 10 epochs of smooth L1 on the standardised statistics."""
        check_columns(self.layout, x_NF, s_NK)
        self._pretrained = None
        if len(x_NF) < 2:
            return
        generator = torch.Generator().manual_seed(self._seed)
        raw_NC = extended(self.layout, x_NF, s_NK)
        scale = scaler(raw_NC)
        x_NA, z_NC = self._tensor(_centred(x_NF)[:, self._architecture]), self._tensor(scale(raw_NC))
        encoder = _layers((x_NA.shape[1], *ENCODER), self.members, generator)
        proxy = _layers((ENCODER[-1], z_NC.shape[1]), self.members, generator)
        optimizer = torch.optim.Adam(_leaves(encoder, proxy), lr=PRETRAINING_RATE, fused=True)
        for _ in range(PRETRAINING_EPOCHS):
            for rows in torch.randperm(len(x_NA), generator=generator).split(PRETRAINING_BATCH):  # type: ignore[no-untyped-call]
                embedding_BNE = _apply(encoder, x_NA[rows].expand(self.members, -1, -1))
                guess_BNC = _apply(proxy, functional.relu(embedding_BNE))
                loss = functional.smooth_l1_loss(guess_BNC, z_NC[rows].expand_as(guess_BNC)) * self.members
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        self._pretrained = encoder, scale

    def fit(self, x_NF: Floats, s_NK: Floats, y_N: Floats) -> None:
        y_N = check_scores(self.layout, x_NF, s_NK, y_N)
        order_N = np.lexsort((*np.asarray(x_NF).T, *np.asarray(s_NK).T, y_N))  # rows may come in any order
        x_NF, s_NK, self.targets = x_NF[order_N], s_NK[order_N], targets(y_N[order_N])
        generator = torch.Generator().manual_seed(self._seed + 1)
        self._statistics, raw_NC = s_NK.shape[1], extended(self.layout, x_NF, s_NK)
        if self._pretrained is None:
            self._scaler = scaler(raw_NC)
            self._encoder = _layers((int(self._architecture.sum()), *ENCODER), self.members, generator)
        else:
            encoder, self._scaler = self._pretrained
            self._encoder = [
                (w.detach().clone().requires_grad_(), b.detach().clone().requires_grad_()) for w, b in encoder
            ]
        x_NA, rest_NR = self._inputs(x_NF, s_NK)
        self._head = _layers((ENCODER[-1] + rest_NR.shape[1], *HEAD), self.members, generator)
        used_BN = _used(self.members, len(y_N))
        t_N = self._tensor(self.targets.t_N)
        frozen = self._pretrained is not None  # an encoder that was never pretrained has nothing to protect
        self._train(
            _leaves(self._head) if frozen else _leaves(self._encoder, self._head),
            FROZEN_EPOCHS,
            RATE,
            (x_NA, rest_NR, t_N, used_BN),
            generator,
        )
        self._train(
            _leaves(self._encoder, self._head), OPEN_EPOCHS, OPEN_RATE, (x_NA, rest_NR, t_N, used_BN), generator
        )
        self._calibrate(x_NA, rest_NR, used_BN.numpy() == 0)

    def predict(self, x_NF: Floats, s_NK: Floats) -> Prediction:
        if not self._head:
            raise RuntimeError("the predictor 'mlp' has no scores yet; call fit before predict")
        check_columns(self.layout, x_NF, s_NK, self._statistics)
        guess_BN = self._guesses(*self._inputs(x_NF, s_NK))
        std_N = self._inflation * np.sqrt(guess_BN.var(axis=0) + self._floor**2)
        return self.targets.prediction(guess_BN.mean(axis=0), std_N, 0.0)

    def _train(
        self,
        leaves: list[Tensor],
        epochs: int,
        rate: float,
        data: tuple[Tensor, Tensor, Tensor, Tensor],
        generator: torch.Generator,
    ) -> None:
        x_NA, rest_NR, t_N, used_BN = data
        # Fused: of the small steps here, a third was the optimizer's bookkeeping.
        optimizer = torch.optim.AdamW(leaves, lr=rate, weight_decay=WEIGHT_DECAY, fused=True)
        batch = max(2, -(-len(t_N) // STEPS))
        for _ in range(epochs):
            for rows in torch.randperm(len(t_N), generator=generator).split(batch):  # type: ignore[no-untyped-call]
                loss = self._loss(self._scores(x_NA[rows], rest_NR[rows]), t_N[rows], used_BN[:, rows])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()

    def _calibrate(self, x_NA: Tensor, rest_NR: Tensor, unseen_BN: NDArray[np.bool_]) -> None:
        """Set the spread that all candidates share, and the inflation, from the fold that each member left out."""
        guess_BN = self._guesses(x_NA, rest_NR)
        some_N = unseen_BN.any(axis=0)
        mean_N = np.where(unseen_BN, guess_BN, 0.0).sum(axis=0)[some_N] / unseen_BN.sum(axis=0)[some_N]
        residual_N = self.targets.t_N[some_N] - mean_N
        self._floor = shared_spread(residual_N)
        self._inflation = inflation(residual_N, np.sqrt(guess_BN.var(axis=0)[some_N] + self._floor**2))

    def _scores(self, x_NA: Tensor, rest_NR: Tensor) -> Tensor:
        embedding_BNE = functional.relu(_apply(self._encoder, x_NA.expand(self.members, -1, -1)))
        rest_BNR = rest_NR.expand(self.members, -1, -1)
        return _apply(self._head, torch.cat([embedding_BNE, rest_BNR], dim=2))[..., 0]

    def _guesses(self, x_NA: Tensor, rest_NR: Tensor) -> NDArray[np.float64]:
        with torch.no_grad():
            guesses: NDArray[np.float64] = self._scores(x_NA, rest_NR).numpy().astype(np.float64)
        return guesses

    def _inputs(self, x_NF: Floats, s_NK: Floats) -> tuple[Tensor, Tensor]:
        """Architecture columns, and what joins the embedding: recipe columns and standardised statistics."""
        z_NC = self._scaler(extended(self.layout, x_NF, s_NK))
        columns_NF = _centred(x_NF)
        rest_NR = np.concatenate([columns_NF[:, ~self._architecture], z_NC], axis=1)
        return self._tensor(columns_NF[:, self._architecture]), self._tensor(rest_NR)

    @staticmethod
    def _tensor(array: Floats) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def _centred(x_NF: Floats) -> NDArray[np.float64]:
    """Columns of [0, 1] on the scale of the standardised statistics beside them: a uniform one has unit variance."""
    centred_NF: NDArray[np.float64] = (np.asarray(x_NF, dtype=np.float64) - 0.5) * np.sqrt(12.0)
    return centred_NF


def _leaves(*parts: Layers) -> list[Tensor]:
    return [tensor for layers in parts for layer in layers for tensor in layer]


def _used(members: int, rows: int) -> Tensor:
    """Which rows each member learns from, (B, N) of 0 and 1: all but every B-th, and all of a single row."""
    used_BN = torch.ones((members, rows))
    if rows > 1:
        index_N = torch.arange(rows)
        used_BN[index_N % members, index_N] = 0.0
    return used_BN
