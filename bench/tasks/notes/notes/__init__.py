"""Notes with tags in one JSON file."""
