"""One task's hands: its files, its trials in the sandbox, its commits, its landing."""
