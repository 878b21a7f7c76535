"""What a run is, and whether its folder still is that run."""
