"""The control room: what an owner sees in a browser, and what a program may call, served from the daemon's process.

`/api/v1` is for programs, `/` for people, both over the same facts and the same rights. Nobody else imports this folder
but the command that starts the daemon, and it is imported only there: commands that look do not pay for it.
"""

from api.server import ControlRoom

__all__ = ["ControlRoom"]
