"""What the stages of one task work with: its files, its trials in the sandbox, its commits, its landing."""
