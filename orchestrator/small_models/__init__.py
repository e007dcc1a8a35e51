"""How a small model writes code: sampled, compared, recombined."""
