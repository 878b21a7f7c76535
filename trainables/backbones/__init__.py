"""Network families, one a file: ``build(**architecture)`` and, beside it, ``cost(**architecture)`` on arrays."""
