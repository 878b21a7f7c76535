"""Reversed attention and pruning of tokens: DependencyViT (Ding et al., 2023, https://arxiv.org/abs/2304.03282).

Own reading, since the authors' repository holds no code. In attention a token gathers from those it attends to; here it
sends itself to them. What a token may send falls from block to block by a gate, so that tokens that are parts of others
fall silent; the most silent ones may be left out of later blocks.

    sent[i, j] = sum over heads of softmax_j(q_i k_j / sqrt(d)) softmax_heads(w x_i) m_i,  m_i product of gates so far
"""

from collections.abc import Sequence
from typing import Any

import torch
from timm.layers import DropPath, Mlp
from torch import Tensor, nn

from trainables.backbones._neck import NeckedVisionTransformer

OPEN = 3.0
"""Bias of a gate as initialised, which then lets .95 through."""


class ReversedAttention(nn.Module):
    """Every token sends its value to all, with a softmax over those who receive.

    Args:
        width: of the tokens.
        heads: number of heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.heads = nn.Linear(width, heads)
        self.proj = nn.Linear(width, width)

    def forward(self, x_BTC: Tensor, mass_BT: Tensor) -> Tensor:
        """What the tokens receive, (B, T, C), where they may send ``mass_BT`` in all."""
        query_BHTE, key_BHTE, value_BHTE = (self._split(part_BTC) for part_BTC in self.qkv(x_BTC).chunk(3, dim=-1))
        sent_BHTT = self.sent(query_BHTE, key_BHTE, x_BTC, mass_BT)
        received_BHTE = sent_BHTT.transpose(-2, -1) @ value_BHTE
        received_BTC: Tensor = self.proj(received_BHTE.transpose(1, 2).flatten(2))
        return received_BTC

    def sent(self, query_BHTE: Tensor, key_BHTE: Tensor, x_BTC: Tensor, mass_BT: Tensor) -> Tensor:
        """From senders (rows) to receivers (columns), by head, (B, H, T, T); all of a sender's add up to its mass."""
        scale = query_BHTE.shape[-1] ** -0.5
        share_BHTT = (scale * query_BHTE @ key_BHTE.transpose(-2, -1)).softmax(dim=-1)
        head_BHT1 = self.heads(x_BTC).softmax(dim=-1).transpose(1, 2)[..., None]
        sent_BHTT: Tensor = share_BHTT * head_BHT1 * mass_BT[:, None, :, None]
        return sent_BHTT

    def _split(self, x_BTC: Tensor) -> Tensor:
        return x_BTC.reshape(*x_BTC.shape[:2], self.heads.out_features, -1).transpose(1, 2)


class ReversedBlock(nn.Module):
    """A gate, reversed attention and a perceptron.

    Args:
        width, heads: of the attention.
        mlp_ratio: hidden width of the perceptron over its width.
        drop_path: probability of leaving a branch out.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: float, drop_path: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.gate = Mlp(width, width // 4, 1)
        self.attn = ReversedAttention(width, heads)
        self.mlp = Mlp(width, int(width * mlp_ratio))
        self.drop_path = DropPath(drop_path)
        nn.init.constant_(self.gate.fc2.bias, OPEN)

    def forward(self, x_BTC: Tensor, mass_BT: Tensor) -> tuple[Tensor, Tensor]:
        """The tokens, and what each may still send, (B, T)."""
        normed_BTC = self.norm1(x_BTC)
        mass_BT = mass_BT * self.gate(normed_BTC)[..., 0].sigmoid()
        x_BTC = x_BTC + self.drop_path(self.attn(normed_BTC, mass_BT))
        return x_BTC + self.drop_path(self.mlp(self.norm2(x_BTC))), mass_BT


class DependencyViT(NeckedVisionTransformer):
    """A plain transformer of reversed blocks; where tokens are pooled by their mean, it is weighted by their mass.

    Tokens that were left out are zeros among the features, which keep their places.
    """

    blocks: nn.Sequential
    _leaves_out = 0.0

    def reverse(self, *, mlp_ratio: float, drop_path: Sequence[float], leaves_out: float) -> None:
        """Put reversed blocks in place of timm's.

        Args:
            mlp_ratio: of the perceptrons.
            drop_path: of each block.
            leaves_out: share of the image's tokens that every block but the last leaves out, those of least mass.
        """
        heads = int(self.blocks[0].attn.num_heads)  # type: ignore[union-attr, arg-type]
        self.blocks = nn.Sequential(*(ReversedBlock(self.embed_dim, heads, mlp_ratio, rate) for rate in drop_path))
        self._leaves_out = leaves_out

    def forward(self, x: Tensor) -> Tensor:
        """Class scores (N, classes)."""
        scores: Tensor = self.forward_head(self.forward_features(x))
        return scores

    def forward_features(self, x: Tensor) -> Tensor:
        """As timm's."""
        return self.encoded(self.embedded(x))

    def encoded(self, tokens: Tensor) -> Tensor:
        """As ``trainables.deploy.SequenceBackbone`` says."""
        return self._through(self.norm_pre(tokens))[0]

    def forward_intermediates(self, x: Tensor, **ignored: Any) -> tuple[Tensor, list[Tensor]]:
        """The last features, and the map after every block."""
        del ignored  # timm's, of which the defaults hold
        last, after = self._through(self.norm_pre(self.embedded(x)))
        side = self.patch_embed.dynamic_feat_size(x.shape[-2:])
        maps = [tokens[:, self.num_prefix_tokens :].transpose(1, 2).reshape(x.shape[0], -1, *side) for tokens in after]
        return last, maps

    def _through(self, tokens_BTC: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Features of the tokens, and the tokens after each block, those left out being 0."""
        batch, count = tokens_BTC.shape[:2]
        place_BT = torch.arange(count, device=tokens_BTC.device).expand(batch, count)
        x_BTC, mass_BT = tokens_BTC, tokens_BTC.new_ones(batch, count)
        dropped = int(self._leaves_out * (count - self.num_prefix_tokens))
        after = []
        for number, block in enumerate(self.blocks):
            x_BTC, mass_BT = block(x_BTC, mass_BT)
            after.append(_placed(x_BTC, place_BT, count))
            stays = x_BTC.shape[1] - self.num_prefix_tokens - dropped
            if dropped and stays > 0 and number < len(self.blocks) - 1:
                x_BTC, mass_BT, place_BT = self._kept(stays, x_BTC, mass_BT, place_BT)
        x_BTC = self.norm(x_BTC)
        if self.global_pool == "avg":
            own_BM = mass_BT[:, self.num_prefix_tokens :]
            weight_BM = (count - self.num_prefix_tokens) * own_BM / own_BM.sum(dim=1, keepdim=True)
            prefix_BPC, own_BMC = x_BTC[:, : self.num_prefix_tokens], x_BTC[:, self.num_prefix_tokens :]
            x_BTC = torch.cat([prefix_BPC, own_BMC * weight_BM[..., None]], dim=1)
        return _placed(x_BTC, place_BT, count), after

    def _kept(self, stays: int, x_BTC: Tensor, mass_BT: Tensor, place_BT: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The prefix tokens and so many others, those of the most mass in the order of their places."""
        prefix = self.num_prefix_tokens
        most_BM = mass_BT[:, prefix:].topk(stays, dim=1).indices.sort(dim=1).values + prefix
        first_BP = torch.arange(prefix, device=x_BTC.device).expand(x_BTC.shape[0], prefix)
        row_BT = torch.cat([first_BP, most_BM], dim=1)
        kept_BTC = x_BTC.gather(1, row_BT[..., None].expand(-1, -1, x_BTC.shape[-1]))
        return kept_BTC, mass_BT.gather(1, row_BT), place_BT.gather(1, row_BT)


def _placed(x_BTC: Tensor, place_BT: Tensor, count: int) -> Tensor:
    """Tokens where they were among ``count``, zeros elsewhere."""
    if x_BTC.shape[1] == count:
        return x_BTC
    empty_BTC = x_BTC.new_zeros(x_BTC.shape[0], count, x_BTC.shape[-1])
    return empty_BTC.scatter(1, place_BT[..., None].expand_as(x_BTC), x_BTC)
