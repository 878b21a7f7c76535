"""Sections of the report: one file each, found by its name.

A section's file states ``ORDER``, a number by which sections follow one another on the page, and ``TITLE``, its
heading. Its function ``section(evidence)`` makes the section, or returns None where there is nothing to show. The
file's name is the section's anchor on the page.
"""
