"""What a person types and sees: commands over the same database the daemon works on, from any terminal."""

from cli.streams import prepare_streams

prepare_streams()  # before anything looks at them

from cli.app import app  # noqa: E402

__all__ = ["app"]
