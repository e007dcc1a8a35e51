"""Programs of ours that look at a project's code while it runs: in the sandbox, of the standard library alone."""
