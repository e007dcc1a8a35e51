"""The embedded model: its file, the server that runs it, and the child process."""
