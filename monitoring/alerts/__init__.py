"""Alerts to the owner: what they are and how they are sent."""
