"""Where trials run, one place a file: ``Executor``."""
