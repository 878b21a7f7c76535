"""What a candidate will score: arrays in, Prediction out. Never sees a Candidate, a network or Ray.

Every file here but ``protocol.py``, which is their contract, is a predictor that one can name in a configuration. What
predictors are made of, and what takes more than a name to construct (``transfer``), is in ``parts/``.
"""
