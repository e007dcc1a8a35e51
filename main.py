"""The command line. `python main.py` alone starts the daemon; `python main.py --help` shows the rest."""

from cli.streams import prepare_streams

if __name__ == "__main__":
    prepare_streams()
    from cli import app

    app()
