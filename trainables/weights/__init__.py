"""Pretrained weights from elsewhere: what their names stand for, their files, and their way into a network."""
