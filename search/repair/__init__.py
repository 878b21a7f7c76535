"""What is wrong with the folder of a run, and what of it can be mended without training."""
