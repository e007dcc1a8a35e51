"""From red to green: tests first, then attempts at the code until the tests pass."""
