"""What a batch holds beside images and targets, and which images make one."""
