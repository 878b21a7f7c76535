"""Where images come from, one source a file: labelled ones from ``load(...) -> Splits``.

Pictures to pretrain on, where they are not the data's own, come from ``pictures(splits, ...)``: a value of the
dimension ``pretraining.source``. Such a file states ``TARGETS``, whether its pictures come with targets (then
``classes`` is their number), ``ORDERED``, whether they say in which order they are drawn, and ``PAPER``, where they
come from; what it returns is read like ``trainables.splits.Pictures``.
"""
