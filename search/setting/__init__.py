"""From a configuration to what a search works with."""
