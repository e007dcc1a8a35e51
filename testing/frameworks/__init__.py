"""Test frameworks: the command, the report, the diagnosis of each."""
