"""The nouns: tasks, attempts, calls, budgets, priorities."""
