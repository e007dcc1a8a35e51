"""Looking after the daemon: housekeeping, backup, the audit line of a start."""
