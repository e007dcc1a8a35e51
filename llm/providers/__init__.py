"""Providers: how a request looks to each, and how its answer is read."""
