"""The commands of ``python -m search``: one file each, found by its name.

``EXAMPLE`` is a call of it, for its help. ``add_arguments(parser)`` and what the file imports at its top must not need
torch, Ray or MLflow, so that the help of a command is there at once; ``run(arguments)`` imports what carries it out. A
long one has that in a part, ``_NAME.py``.
"""
