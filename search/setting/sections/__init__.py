"""The sections of a configuration: one file each, named as the section; ``config.py`` puts them together."""
