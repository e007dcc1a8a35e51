"""The sandbox: bubblewrap, limits, a supervisor, and what this machine allows."""
