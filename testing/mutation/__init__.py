"""How strong tests are: small faults put into code they accept. Runs in the sandbox, see `__main__`."""
