"""The ranked map of a repository: what its files define, those first that matter most for a task."""
