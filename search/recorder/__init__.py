"""Tables of one's own: candidates that are drawn or searched for, trained in full, and written down."""
