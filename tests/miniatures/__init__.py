"""A small copy of what each data source reads, one source a file: ``write(root) -> keywords of its load``.

A source without such a file loads without keywords. Pictures are noise, so that no two are equal.
"""
