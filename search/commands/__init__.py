"""The commands of ``python -m search``: one file each, found by its name."""
