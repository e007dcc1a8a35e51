"""The command line. `python main.py` alone starts the daemon; `python main.py --help` shows the rest."""

from cli import app

if __name__ == "__main__":
    app()
