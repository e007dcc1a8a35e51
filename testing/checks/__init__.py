"""Checks beside the tests: the project's own checkers and formatters, and tampering."""
