"""Programs of ours that run in the sandbox beside the project's tests; they import the standard library only."""
