"""What a network costs: counts, statistics, measured and modelled latency."""
