"""Tests from what a task states: examples, properties and the owner's own tests, without asking a model."""
