"""Project environments: found, installed once per content of the dependency files, kept."""
