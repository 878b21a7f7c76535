"""When a trial has shown enough."""
