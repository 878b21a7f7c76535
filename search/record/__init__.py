"""The study, which is the record of a run."""
