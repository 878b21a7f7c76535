"""Ingredients of a training recipe, one a file: ``apply(plan, **knobs) -> plan``.

Beside ``STAGE`` a file states ``PAPER``; ``OFF``, knobs with which it changes nothing, or None where there are none;
``TRIED``, settings with which tests run and whose effect ``docs/components.md`` has; and, where two workers do not have
the loss of one, the reason as ``PER_WORKER``. Keys of the settings are addresses below the ingredient.
"""
