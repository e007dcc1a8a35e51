"""What a model can do: known by its name, found out by a probe, or set by the owner."""
