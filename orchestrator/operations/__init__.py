"""Operating the daemon: housekeeping, backup and restore, the audit record of a start."""
