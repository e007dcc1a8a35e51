"""Meetings, working hours and free slots."""
