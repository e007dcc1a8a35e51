"""A search among changes of solutions that nearly work; runs in the sandbox, see `__main__`."""
