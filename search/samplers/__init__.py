"""Proposers of candidates, one a file: ``Sampler``."""
