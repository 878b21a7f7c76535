"""Samplers, predictors and stopping rules played over trials that somebody recorded."""
