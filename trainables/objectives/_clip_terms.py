"""Losses beside CLIP's own: what each makes of a batch that both towers have seen."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainables.deploy import Deployable, evaluating
from trainables.language.pairs import Pairs
from trainables.language.places import Places
from trainables.language.prototypes import Prototypes
from trainables.language.texts import Texts
from trainables.language.tower import is_text
from trainables.language.words import Words
from trainables.maps import map_of, pooled_places
from trainables.objectives._accumulating import still
from trainables.objectives._colour import grey
from trainables.objectives._painting import Painting
from trainables.preprocessing import resize


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A batch of this worker's, and what the towers make of it.

    Attributes:
        network, texts: the towers.
        view_BCHW: of the images.
        features: what the network makes of them before pooling; None where no term reads it.
        token_BL: a caption of each.
        pairs: of that caption first, and of further ones.
        kind_B, parts: as in ``trainables.language.pairs.paired``.
        locked: whether the network stays as it is.
        generator: of what terms draw.
    """

    network: Deployable
    texts: Texts
    view_BCHW: Tensor
    features: Tensor | None
    token_BL: Tensor
    pairs: tuple[Pairs, ...]
    kind_B: Tensor | None
    parts: int
    locked: bool
    generator: torch.Generator

    def beside(self) -> AbstractContextManager[None]:
        """Inside, the network sees what are no images of the data: its running statistics stay as they are."""
        return at_rest(self.network) if self.locked else still(self.network)


@contextmanager
def at_rest(network: Deployable) -> Iterator[None]:
    """Inside, the network is as in evaluation, and learns nothing."""
    with evaluating(network), torch.no_grad():
        yield


def _of_prototypes(term: Prototypes, seen: Seen) -> Tensor:
    loss: Tensor = term(seen.pairs[0])
    return loss


def _of_places(term: Places, seen: Seen) -> Tensor:
    if seen.features is None:
        raise RuntimeError("places are read of features")
    with seen.beside():  # places alone are no images
        pooled_BPF = pooled_places(seen.network, seen.features)
    place_BPE = seen.texts.of_images(pooled_BPF)
    loss: Tensor = term(place_BPE, seen.pairs, seen.kind_B, seen.parts)
    return loss


def _of_words(term: Words, seen: Seen) -> Tensor:
    loss: Tensor = term(seen.texts, seen.pairs[0].image_BE, seen.token_BL, seen.generator)
    return loss


def _of_painted(term: Painting, seen: Seen) -> Tensor:
    network, view_B3HW = seen.network, seen.view_BCHW
    with seen.beside():  # its running statistics are those of images in colour
        map_BFHW = map_of(network, grey(view_B3HW).expand_as(view_B3HW))
    image_B3HW = resize(view_B3HW, network.resolution, network.interpolation)
    loss: Tensor = term(map_BFHW, seen.pairs[0].text_BE, image_B3HW, is_text(seen.token_BL))
    return loss


TERMS: Mapping[str, Callable[[Any, Seen], Tensor]] = {
    "prototypes": _of_prototypes,
    "places": _of_places,
    "words": _of_words,
    "painted": _of_painted,
}
"""By the name of their weight, in the order in which they draw."""
