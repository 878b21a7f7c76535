"""Ingredients of a training recipe, one a file: ``apply(plan, **knobs) -> plan``."""
