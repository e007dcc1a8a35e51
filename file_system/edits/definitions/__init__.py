"""Bringing definitions and imports into Python modules without touching the rest of their bytes."""
