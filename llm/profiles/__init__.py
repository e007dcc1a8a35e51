"""What a model can do: known by its name, tried out by a probe, or told by the owner."""
