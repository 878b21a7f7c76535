"""Network families, one a file: ``build(**architecture)`` and, beside it, ``cost(**architecture)`` on arrays.

What a built network has is ``trainables.deploy.Backbone``; ``FEATURES`` says which of the contracts beside it holds, by
what objectives find in it: ``map`` for maps of convolutions, ``tokens``, ``sequence`` where blocks take any part of the
tokens, or several where it depends on the model.
``TRACED`` says whether ``cost`` has no formula, but builds and runs each network that this machine has not met. A space
offers the backbone, or no test builds it. ``build`` imports torch and timm, the file does not: commands that train
nothing ask for costs, too.
"""
