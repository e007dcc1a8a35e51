"""How strong tests are: small faults that they should notice."""
