"""The text of a configuration, before any of its values is looked at, and the sentences for what is wrong with them."""
