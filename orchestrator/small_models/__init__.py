"""How a small model writes code: its answers are sampled, compared and recombined."""
