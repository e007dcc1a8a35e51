"""Small text, number and date functions for reports, labels and forms."""

__version__ = "0.3.0"
