"""What is searched: costs, limits, budgets, and candidates that keep them."""
