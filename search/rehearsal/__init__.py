"""What a run will need, tried before its first trial: places, servers, machine, data."""
