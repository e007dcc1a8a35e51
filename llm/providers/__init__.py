"""The providers of models, a file each, and the registry of them."""
