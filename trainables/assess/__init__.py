"""How good a network's features are without training it, one protocol a file: ``classify(known, class_N, query, ...)``.

``classify(known_NF, class_N, query_MF, *, classes, **knobs)`` predicts a class for each row of ``query_MF`` from
labelled rows ``known_NF``, shape (M,). It sees features only, so several protocols share one pass of the network:
``trainables.training.features`` makes them and counts who is right. ``PAPER`` says where a protocol comes from.
"""
