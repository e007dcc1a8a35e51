"""The providers of models, a file each, the registry of them, and the wire that carries requests to them."""
