"""The tables: how each noun is stored and found."""
