"""A predictor fitted to what a search has seen."""
