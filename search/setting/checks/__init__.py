"""Whether a configuration, its space and its data fit each other; each mistake is a sentence before any training."""
