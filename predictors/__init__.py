"""What a candidate will score: arrays in, Prediction out. Never sees a Candidate, a network or Ray."""
