"""Opens the way out of a set-up sandbox and becomes the command: `entrance.py DESCRIPTOR PORT COMMAND…`.

The port is opened on the sandbox's own loopback and handed to the daemon, which accepts on it (`gateway.py`); nothing
of it stays open in here. This file's text is handed to `python -c`; it must not import anything of ours.
"""

from __future__ import annotations

import os
import socket
import sys


def main(descriptor: int, port: int, command: list[str]) -> None:
    """Does not return."""
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    with socket.socket(fileno=descriptor) as daemon:
        socket.send_fds(daemon, [b"1"], [listener.fileno()])
    listener.close()
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
