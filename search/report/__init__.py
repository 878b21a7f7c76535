"""A view of the record for people: one page."""
