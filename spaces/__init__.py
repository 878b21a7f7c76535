"""What may be chosen: dimensions, spaces, candidates. numpy and the standard library only."""
