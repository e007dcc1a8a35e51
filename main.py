"""The command line. `python main.py` alone starts the daemon; `python main.py --help` shows the rest.

In the installed package this file is `nightcrew/__init__.py`, too, and `main` is the command `nightcrew`.
"""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

_BROKEN_PIPE = 128 + 13
"""What a shell shows of a program whose reader is gone."""
_FOLDER = Path(__file__).resolve().parent


def main() -> None:
    """Run the command line. The folders beside this file are its packages, so this folder goes onto the path first."""
    if sys.version_info < (3, 11):  # noqa: UP036 - who has an older one is told so, not shown a traceback
        sys.exit("error: Python 3.11 or newer is needed; this is " + sys.version.partition(" ")[0])
    if sys.path[0] != str(_FOLDER):
        sys.path.insert(0, str(_FOLDER))
    if os.getpid() == 1:
        go_on_below_init()
    try:
        gc.disable()  # until the command is imported, see cli/app.py: to look for garbage takes a third of the start
        gc.set_threshold(50_000, 20, 20)
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # it would read the metadata of all packages
        os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # without git, a command says so when it needs it
        from cli import app
    except ModuleNotFoundError as missing:
        _without_packages(missing)
    try:
        try:
            app()
        finally:
            gc.freeze()  # the interpreter would look through all modules once more before it drops them
            sys.stdout.flush()
    except SystemExit as ended:
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        _without_output("", _BROKEN_PIPE)  # as in `… | head -1`
    except BrokenPipeError:
        _without_output("", _BROKEN_PIPE)
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EIO):
            raise
        _without_output(f"error: the output cannot be written: {problem.strerror}", 1)


def go_on_below_init() -> None:
    """As the first process of a container: go on in a child, and be its init. What a sandbox leaves behind is handed to
    the first process, and would stay a zombie; to reap it in the program itself would take the exit codes of its own.
    """
    child = os.fork()
    if not child:
        with suppress(OSError):
            os.setpgid(0, 0)
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            os.tcsetpgrp(0, os.getpgrp())  # Ctrl-C reaches the program once
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        return
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda received, _: os.kill(child, received))
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _without_output(said: str, code: int) -> NoReturn:
    """End the process; what is left in the buffer has nowhere to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if said:
        print(said, file=sys.stderr)
    sys.exit(code)


def _without_packages(missing: ModuleNotFoundError) -> None:
    """The interpreter lacks the packages: go on with the one of `.venv`, or say in one line how to get it."""
    python = _FOLDER / ".venv" / "bin" / "python"
    if not (_FOLDER / "requirements.lock").is_file():  # not a checkout, whose packages are its owner's to install
        raise missing
    if python.is_file() and Path(sys.prefix).resolve() != (_FOLDER / ".venv").resolve():
        os.execv(python, [str(python), *sys.argv])  # noqa: S606 - the checkout's own interpreter
    how = f"cd {_FOLDER} && python3 -m venv .venv && .venv/bin/pip install -r requirements.lock"
    sys.exit(f"error: {missing.name} is not installed for {sys.executable}. Install what the program needs:  {how}")


if __name__ == "__main__":
    main()
