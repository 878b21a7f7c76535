"""Configurations and data folders that are wrong or odd, and what `check` must make of each."""
