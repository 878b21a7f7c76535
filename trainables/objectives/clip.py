"""CLIP: an image and its caption are told from all others of the batch; with the options of those who built on it.

Each option is off by default: ConVIRT (https://arxiv.org/abs/2010.00747) is ``direction`` 0.75, a fixed temperature of
0.1 and views; ALIGN (https://arxiv.org/abs/2102.05918) is ``smoothing`` 0.1; prefix conditioning
(https://arxiv.org/abs/2206.01125) is ``prefix`` and pure ``batches``; DreamLIP (https://arxiv.org/abs/2403.17007) and
M2-Encoder (https://arxiv.org/abs/2401.15896) have several ``captions``, ``places`` and ``parts``; ProtoCLIP
(https://arxiv.org/abs/2206.10996) has ``prototypes``; PLIP (https://arxiv.org/abs/2305.08386) is ``grouped`` and
``matching`` with ``painted`` and ``words``; LiT (https://arxiv.org/abs/2111.07991) is ``locked``.
"""

from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from trainables.batches.order import Pure
from trainables.deploy import Deployable
from trainables.language.pairs import Pairs, contrast, found_first, paired
from trainables.language.places import Places
from trainables.language.prototypes import Prototypes, check_clusters
from trainables.language.texts import Texts
from trainables.language.tower import is_text
from trainables.language.words import Words
from trainables.objectives._accumulating import in_pieces
from trainables.objectives._clip_terms import TERMS, Seen, at_rest
from trainables.objectives._collapse import Spread, alike
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._painting import Painting
from trainables.objectives._views import Views
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2103.00020"
LABELS = False
SUPPORTS = ("map", "tokens")
COMPARES = None
SOURCE = "own"
PER_WORKER = None
FIXED_SIDE = False
ON_FEATURES = False
NEEDS = (("", "caption"), ("grouped", "group"), ("prefix", "origin"), ("batches", "origin"))
ORDERS = (("batches", 1),)
AT_MOST = ()

KINDS = 2
"""Values of the field ``origin``, of which each has a prefix."""
BATCHES = ("mixed", "pure")


def passes(*, accumulate: int = 1, painted: float = 0.0, locked: bool = False, **knobs: object) -> float:
    """One view an image, of which pieces are computed once more, and its grey; texts and decoder are not counted.

    A locked network goes forward alone, and nothing of it is computed twice.
    """
    del knobs
    if locked:
        return (1 + (painted > 0)) / 3
    return (1.0 if accumulate == 1 else 4 / 3) + (painted > 0)


def objective(
    network: Deployable,
    *,
    width: int = 64,
    text_width: int = 64,
    text_depth: int = 2,
    text_length: int = 64,
    temperature: float = 0.07,
    learned: bool = True,
    direction: float = 0.5,
    smoothing: float = 0.0,
    grouped: bool = False,
    matching: bool = False,
    captions: int = 1,
    parts: int = 1,
    accumulate: int = 1,
    prefix: bool = False,
    batches: str = "mixed",
    prototypes: float = 0.0,
    clusters: int = 32,
    queue: int = 512,
    episode: int = 10,
    softness: float = 0.1,
    translate: bool = True,
    places: float = 0.0,
    threshold: float = 0.3,
    grouped_for: str = "every",
    words: float = 0.0,
    painted: float = 0.0,
    decoder_width: int = 32,
    locked: bool = False,
    crop: float = 0.6,
    jitter: float = 0.2,
    flip: float = 0.0,
    colour: str = "none",
) -> nn.Module:
    """Mean cross-entropy of finding the text of each image and the image of each text, among all workers'.

    Args:
        network: whose pooled features are trained; its classifier is frozen.
        width: of the space in which images and texts are compared.
        text_width, text_depth, text_length: of the text tower; texts are as long as ``data.caption_tokens`` at most.
        temperature: divides cosines; where it is ``learned``, at the start.
        learned: whether it is trained; it stays above 0.01.
        direction: weight of finding texts, in [0, 1]; the rest is that of finding images.
        smoothing: share of a target that all texts of the batch have together, in [0, 1).
        grouped: whether all images of a group are right for the texts of each; needs the field ``group``.
        matching: whether what is found is matched with the target as PLIP does, see ``trainables.language.pairs``.
        captions: of an image in a step, drawn among those that it has; each is right.
        parts: that a batch is cut into; only those of a part are told from each other.
        accumulate: pieces in which a worker sees its images and texts, so that its memory holds one; the loss and its
            gradients are those of the whole batch, but for batch norms, whose statistics are of a piece.
        prefix: whether a trained token before a text says if it was written for the image or names its class; needs
            the field ``origin``.
        batches: ``mixed``, or ``pure``: the texts of a batch are of one origin.
        prototypes: weight of the loss between images and clusters of texts, and the reverse, at least 0.
        clusters, queue, episode, softness, translate: of these, see ``trainables.language.prototypes``.
        places: weight of the loss between captions and the places of an image that they are like, at least 0.
        threshold, grouped_for: of these, see ``trainables.language.places``.
        words: weight of telling a hidden word of a caption from its others and the image, at least 0.
        painted: weight of painting the colours of an image from its grey and its caption, at least 0.
        decoder_width: of what paints, at the last map.
        locked: whether the network stays as it is, batch statistics too, so that texts learn what it sees; for one
            with pretrained weights. Another objective beside this one may train it.
        crop, jitter, flip, colour: of the view, see ``trainables.objectives._views``.

    Raises:
        ValueError: a value out of range.
    """
    if not 0 <= direction <= 1 or not 0 <= smoothing < 1:
        raise ValueError(f"clip.direction is in [0, 1] and clip.smoothing in [0, 1), given {direction} and {smoothing}")
    weights = {"prototypes": prototypes, "places": places, "words": words, "painted": painted}
    if batches not in BATCHES or min(weights.values()) < 0:
        given = ", ".join(f"{name} {weight:g}" for name, weight in weights.items())
        raise ValueError(
            f"clip.batches is {' or '.join(BATCHES)}, and weights are at least 0, given '{batches}' and {given}"
        )
    if min(captions, parts, accumulate) < 1:
        raise ValueError(
            f"clip.captions, clip.parts and clip.accumulate are at least 1, given {captions}, {parts} and {accumulate}"
        )
    if prototypes:
        check_clusters(clusters, queue, episode, softness)
    texts = Texts(
        network.width,
        length=text_length,
        width=width,
        text_width=text_width,
        text_depth=text_depth,
        temperature=temperature,
        learned=learned,
        prefixes=KINDS if prefix else 0,
    )
    terms: dict[str, nn.Module] = {}
    if prototypes:
        terms["prototypes"] = Prototypes(
            width, clusters=clusters, queue=queue, episode=episode, softness=softness, translate=translate
        )
    if places:
        terms["places"] = Places(temperature=temperature, threshold=threshold, grouped_for=grouped_for)
    if words:
        terms["words"] = Words(texts)
    if painted:
        terms["painted"] = Painting(network, width, decoder_width)
    return _Clip(
        network,
        texts,
        {name: (weights[name], term) for name, term in terms.items()},
        direction=direction,
        smoothing=smoothing,
        grouped=grouped,
        matching=matching,
        captions=captions,
        parts=parts,
        accumulate=accumulate,
        pure=batches == "pure",
        locked=locked,
        views=Views(crop=crop, jitter=jitter, flip=flip, colour=colour),
    )


class _Clip(nn.Module):
    def __init__(
        self,
        network: Deployable,
        texts: Texts,
        terms: Mapping[str, tuple[float, nn.Module]],
        *,
        direction: float,
        smoothing: float,
        grouped: bool,
        matching: bool,
        captions: int,
        parts: int,
        accumulate: int,
        pure: bool,
        locked: bool,
        views: Views,
    ) -> None:
        super().__init__()
        self.network, self._locked = network, locked
        if locked:
            network.requires_grad_(False)
        else:
            freeze_unused(network, network.pooled)
        self.texts = texts
        self._direction, self._smoothing, self._grouped = direction, smoothing, grouped
        self._captions, self._parts, self._pure, self._views = captions, parts, pure, views
        self._accumulate, self._matching = accumulate, matching
        self._weights = {name: weight for name, (weight, _) in terms.items()}
        for name, (_, term) in terms.items():
            self.add_module(name, term)
        self._spread = Spread()
        self._found, self._steps = torch.zeros(()), 0

    @property
    def order(self) -> Pure | None:
        """Batches of one origin, if so."""
        return Pure("origin") if self._pure else None

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        if self.training:
            self.texts.bound()
        view_BCHW = self._views.of(batch.image_BCHW, generator, number=0)
        feature_BF, features = self._pooled(view_BCHW)
        image_BE = self.texts.of_images(feature_BF)
        token_BNL = drawn(batch.fields["caption"], self._captions, generator)
        pairs = [self._pairs(image_BE, token_BL, batch.fields) for token_BL in token_BNL.unbind(dim=1)]
        if self.training:
            self._note(feature_BF, image_BE, pairs[0])
        losses = [
            contrast(own, direction=self._direction, smoothing=self._smoothing, matching=self._matching)
            for own in pairs
        ]
        loss = torch.stack(losses).mean()
        seen = Seen(
            network=self.network,
            texts=self.texts,
            view_BCHW=view_BCHW,
            features=features,
            token_BL=token_BNL[:, 0],
            pairs=tuple(pairs),
            kind_B=batch.fields["group"] if self._grouped else None,
            parts=self._parts,
            locked=self._locked,
            generator=generator,
        )
        for name, weight in self._weights.items():
            loss = loss + weight * TERMS[name](self.get_submodule(name), seen)
        return loss

    def _pooled(self, view_BCHW: Tensor) -> tuple[Tensor, Tensor | None]:
        """Pooled features of views, and what they are pooled from where a term reads it."""
        network, pieces = self.network, 1 if self._locked else self._accumulate
        with at_rest(network) if self._locked else nullcontext():
            if "places" not in self._weights:
                return in_pieces(network.pooled, pieces, view_BCHW, norms_of=network), None
            features = in_pieces(network.features, pieces, view_BCHW, norms_of=network)
            return network.pooled_from(features), features

    def _pairs(self, image_BE: Tensor, token_BL: Tensor, fields: Mapping[str, Tensor]) -> Pairs:
        prefix_B = fields["origin"].clamp_min(0) if self.texts.tower.prefixes else None
        kind_B = fields["group"] if self._grouped else None
        text_BE = in_pieces(self.texts.of_tokens, self._accumulate, token_BL, prefix_B)
        return paired(image_BE, text_BE, is_text(token_BL), self.texts.scale, kind_B=kind_B, parts=self._parts)

    def _note(self, feature_BF: Tensor, image_BE: Tensor, pairs: Pairs) -> None:
        self._spread.note(feature_BF, image_BE)
        self._found, self._steps = self._found.to(image_BE.device) + found_first(pairs), self._steps + 1

    def watched(self) -> dict[str, float]:
        """Of the last batch, ranks and spread; ``found``, how often an image's text was the nearest; the scale."""
        found, self._found, steps, self._steps = self._found, torch.zeros(()), self._steps, 0
        figures = {"found": float(found) / max(1, steps), "scale": float(self.texts.scale.detach())}
        return {**self._spread.values(), **figures}

    def trouble(self, values: Mapping[str, float]) -> str | None:
        """That all images are alike, if so."""
        return alike("clip", values)


def drawn(token_BTL: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """``count`` of the captions that each image has, at random and none twice, (B, count, L); zeros where it has fewer.

    Raises:
        ValueError: no image has so many.
    """
    slots = token_BTL.shape[1]
    if count > slots:
        raise ValueError(f"clip.captions is {count}, but these images have at most {slots}; change it or data.captions")
    token_BTL = token_BTL.long()
    rank_BT = torch.rand(token_BTL.shape[:2], generator=generator).to(token_BTL.device)
    slot_BN = (rank_BT + ~is_text(token_BTL)).argsort(dim=1)[:, :count]
    return token_BTL.gather(1, slot_BN[:, :, None].expand(-1, -1, token_BTL.shape[2]))
