"""A word of a caption that is hidden is told from the rest of the caption and from the image (PLIP, Zuo et al. 2023).

The authors hide words of a list of attributes and have published no code of this; here it is any word, byte by byte.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.language.pairs import share_of
from trainables.language.texts import Texts
from trainables.language.tokens import BEGIN, PADDING
from trainables.language.tower import is_text

BLANK = ord(" ")
LETTERS = 256
"""Bytes, of which each is a class."""


class Words(nn.Module):
    """Cross-entropy of the bytes of one word a caption, from what the text tower makes of the others and the image.

    The tower reads from left to right: what follows the word is known from where the text ends.

    Args:
        texts: whose tower reads.
        width: of the hidden layer.
    """

    def __init__(self, texts: Texts, width: int = 64) -> None:
        super().__init__()
        inputs = 2 * texts.tower.width + texts.sizes["width"]
        self.told = nn.Sequential(nn.Linear(inputs, width), nn.GELU(), nn.Linear(width, LETTERS))

    def forward(self, texts: Texts, image_BE: Tensor, token_BL: Tensor, generator: torch.Generator) -> Tensor:
        """The mean over the captions of all workers, of the mean over a word's bytes.

        Args:
            texts: the text tower.
            image_BE: directions of the images.
            token_BL: a caption of each.
            generator: draws the words, on the CPU.
        """
        hidden_BL = one_word(token_BL, generator)
        tower, end_B = texts.tower, token_BL.argmax(dim=1)
        state_BLW = tower.states(tower.token(token_BL.masked_fill(hidden_BL, PADDING)))
        end_BW = state_BLW.gather(1, end_B[:, None, None].expand(-1, 1, state_BLW.shape[2]))[:, 0]
        beside_BD = torch.cat([end_BW, image_BE], dim=1)
        row_M = hidden_BL.nonzero()[:, 0]
        score_MK = self.told(torch.cat([state_BLW[hidden_BL], beside_BD[row_M]], dim=1))
        loss_M = F.cross_entropy(score_MK, token_BL[hidden_BL], reduction="none")
        letters_B = hidden_BL.sum(dim=1).clamp_min(1)
        return (loss_M / letters_B[row_M]).sum() * share_of(is_text(token_BL))


def one_word(token_BL: Tensor, generator: torch.Generator) -> Tensor:
    """Which tokens (B, L) are one word of each text, drawn; none of no text."""
    letter_BL = (token_BL > PADDING) & (token_BL < BEGIN) & (token_BL != BLANK)
    before_BL = F.pad(letter_BL[:, :-1], (1, 0))
    word_BL = (letter_BL & ~before_BL).cumsum(dim=1) * letter_BL  # from 1; 0 between words
    drawn_B = torch.rand(len(token_BL), generator=generator).to(token_BL.device)
    number_B = (drawn_B * word_BL.amax(dim=1)).long() + 1
    return letter_BL & (word_BL == number_B[:, None])
