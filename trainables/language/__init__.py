"""Texts beside images: their tokens, the network that reads them, and how the two are compared."""
