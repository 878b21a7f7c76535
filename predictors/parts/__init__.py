"""What predictors are made of; none of these can be chosen by name."""
