"""What a person types and sees: commands over the same database the daemon works on, from any terminal."""

from cli.app import app

__all__ = ["app"]
