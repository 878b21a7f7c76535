"""Pretrained network x how it is fine-tuned, with every knob of every method x recipe x resolution from 64 pixels.

Spaces ``finetune`` and ``finetune_small`` keep their dimensions, since the codes of stored candidates depend on them:
what they leave to the defaults of ``trainables/adapt`` is chosen here. For a processor, restrict
``architecture.name`` to the EfficientNet-Lites and ``architecture.resolution`` to at most 128.
"""

from collections.abc import Iterator

from spaces import finetune, finetune_small
from spaces.dimensions import Choice, Dimension
from spaces.reference import Reference
from spaces.space import Space

NAMES = tuple(sorted({*finetune.NAMES, *finetune_small.NAMES}))
RESOLUTIONS = tuple(sorted({*finetune.RESOLUTIONS, *finetune_small.RESOLUTIONS}))


def space() -> Space:
    """The space: seventeen models with or without weights at twelve resolutions, six ways to fine-tune."""
    return finetune.of_pretrained(
        "finetune_whole", names=NAMES, resolutions=RESOLUTIONS, batches=(32, 64, 128), knobs=_knobs()
    )


def references() -> Iterator[Reference]:
    """Every model at every resolution, fine-tuned as one would by hand."""
    return finetune.by_hand(NAMES, RESOLUTIONS)


def _knobs() -> dict[str, Dimension]:
    decay, pull = finetune.KNOBS["full.layer_decay"], finetune.KNOBS["full.l2_sp"]
    statistics = finetune.KNOBS["full.statistics"]
    return {
        **finetune.KNOBS,
        "linear_then_full.body_rate": Choice(values=(0.01, 0.03, 0.1, 0.3, 1.0), ordered=True),
        "linear_then_full.l2_sp": pull,
        "linear_then_full.statistics": statistics,
        "top.l2_sp": pull,
        "norms.statistics": statistics,
        "frozen_norms.layer_decay": decay,
        "frozen_norms.l2_sp": pull,
    }
