"""What the CEO plans from: the backlog, facts of the repository, and whether two tasks are the same work."""
