"""What a network is trained for, one objective a file: ``loss(...)``."""
