"""The network that reads texts, as open_clip builds it: a causal transformer, pooled where a text ends."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.language.tokens import END, VOCABULARY

HEAD = 16
"""Width of a head of attention; CLIP has 64 of 512 or more."""
TOKEN_SPREAD, POSITION_SPREAD = 0.02, 0.01
"""Standard deviations of embeddings at the start."""


class Tower(nn.Module):
    """From tokens to one vector a text (Radford et al. 2021, https://arxiv.org/abs/2103.00020).

    Args:
        length: tokens of a text at most.
        width, depth: of the blocks; the width is a multiple of ``HEAD``.
        outputs: of the projection of what stands at END.
        prefixes: kinds of texts, of which each has a trained token before its texts; 0 for none.

    Raises:
        ValueError: no block, or a width that heads do not divide.
    """

    def __init__(self, *, length: int, width: int, depth: int, outputs: int, prefixes: int = 0) -> None:
        super().__init__()
        if width < HEAD or width % HEAD or depth < 1:
            raise ValueError(
                f"a text tower has a width that {HEAD} divides and at least one block, given {width} and {depth}"
            )
        self.length, self.prefixes = length, prefixes
        self.token = nn.Embedding(VOCABULARY, width)
        self.position_LW = nn.Parameter(torch.empty(length + (prefixes > 0), width))
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.projection_WE = nn.Parameter(torch.empty(width, outputs))
        if prefixes:
            self.prefix_PW = nn.Parameter(torch.empty(prefixes, width))
            nn.init.normal_(self.prefix_PW, std=TOKEN_SPREAD)
        self._initialise(width, depth)

    def _initialise(self, width: int, depth: int) -> None:
        nn.init.normal_(self.token.weight, std=TOKEN_SPREAD)
        nn.init.normal_(self.position_LW, std=POSITION_SPREAD)
        nn.init.normal_(self.projection_WE, std=width**-0.5)
        for block in self.blocks:
            assert isinstance(block, Block)
            nn.init.normal_(block.inward.weight, std=width**-0.5)
            nn.init.normal_(block.outward.weight, std=width**-0.5 * (2 * depth) ** -0.5)
            nn.init.normal_(block.wide.weight, std=(2 * width) ** -0.5)
            nn.init.normal_(block.narrow.weight, std=width**-0.5 * (2 * depth) ** -0.5)

    @property
    def width(self) -> int:
        """Of a token's vector."""
        return self.token.embedding_dim

    def forward(self, token_NL: Tensor, prefix_N: Tensor | None = None) -> Tensor:
        """Vectors (N, E) of texts as ``trainables.language.tokens`` writes them.

        Args:
            token_NL: the texts, whole numbers.
            prefix_N: the kind of each, where there are prefixes; the first by default.

        Raises:
            ValueError: rows are longer than the tower reads.
        """
        if token_NL.shape[1] > self.length:
            raise ValueError(
                f"texts have {token_NL.shape[1]} tokens and the text tower reads {self.length}; make "
                "data.caption_tokens smaller, or clip.text_length larger"
            )
        end_N = token_NL.argmax(dim=1)
        shown_NL = token_NL[:, : int(end_N.max()) + 1].long()  # what comes after END has no effect
        return self.encoded(self.token(shown_NL), end_N, prefix_N)

    def encoded(self, token_NLW: Tensor, end_N: Tensor, prefix_N: Tensor | None = None) -> Tensor:
        """Vectors (N, E) of texts whose tokens are vectors already, and where each ends."""
        state_NLW = self.states(token_NLW, prefix_N)
        last_NW = state_NLW.gather(1, end_N[:, None, None].expand(-1, 1, state_NLW.shape[2]))[:, 0]
        vector_NE: Tensor = self.norm(last_NW) @ self.projection_WE
        return vector_NE

    def states(self, token_NLW: Tensor, prefix_N: Tensor | None = None) -> Tensor:
        """What the blocks make of each token, (N, L, W), of those before it and itself."""
        if self.prefixes:
            # By shape: of ``len`` an exporter makes the number of texts that it was shown.
            kind_N = token_NLW.new_zeros(token_NLW.shape[0], dtype=torch.long) if prefix_N is None else prefix_N
            token_NLW = torch.cat([self.prefix_PW[kind_N][:, None], token_NLW], dim=1)
        x_NLW = token_NLW + self.position_LW[: token_NLW.shape[1]]
        for block in self.blocks:
            x_NLW = block(x_NLW)
        return x_NLW[:, 1:] if self.prefixes else x_NLW


class Block(nn.Module):
    """Attention to earlier tokens, then two layers at every token; each after a norm and beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.inward, self.outward = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        nn.init.zeros_(self.inward.bias)
        nn.init.zeros_(self.outward.bias)

    def forward(self, x_NLW: Tensor) -> Tensor:
        """Of the same shape."""
        x_NLW = x_NLW + self._attended(self.norm_1(x_NLW))
        changed_NLW: Tensor = self.narrow(F.gelu(self.wide(self.norm_2(x_NLW))))
        return x_NLW + changed_NLW

    def _attended(self, x_NLW: Tensor) -> Tensor:
        count, length, width = x_NLW.shape
        qkv_3NHLD = self.inward(x_NLW).reshape(count, length, 3, width // HEAD, HEAD).permute(2, 0, 3, 1, 4)
        query, key, value = qkv_3NHLD.unbind()
        mixed_NHLD = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        attended_NLW: Tensor = self.outward(mixed_NHLD.transpose(1, 2).reshape(count, length, width))
        return attended_NLW


def is_text(token: Tensor) -> Tensor:
    """Whether rows of tokens, of shape (..., L), hold a text: bool (...)."""
    return (token == END).any(dim=-1)
