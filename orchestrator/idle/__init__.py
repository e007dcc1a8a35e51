"""What the CEO does when the queues are empty."""
