"""A view of the record for MLflow."""
