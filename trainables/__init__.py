"""What a candidate does: data, networks, losses, recipes, and the one training loop that joins them."""
