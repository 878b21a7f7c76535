"""Ladders: a candidate trained on growing shares of the data, and what more data would bring."""
