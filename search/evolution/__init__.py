"""Stage 2: pairs for any limits, evolved on the predictor alone."""
