"""What people see of a run on a terminal, in a pipe or in a log: while it goes on, and what came out of it."""
