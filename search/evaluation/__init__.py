"""Evaluations of exported networks: of which networks on which data, and where the figures are kept."""
