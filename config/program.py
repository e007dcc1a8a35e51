"""The program itself: its version, what one types to call it, and where its files are.

From a checkout everything stays in the checkout. Installed from a package, the folders are those that the XDG Base
Directory Specification names (https://specifications.freedesktop.org/basedir-spec/).
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

VERSION = "0.1.0"
NAME = "nightcrew"
"""Of the package on the index and of its command."""
ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds all of the program: the checkout, or the installed package."""


def is_installed() -> bool:
    """Whether the program runs from an installed package. Only there does `__init__.py` lie beside main.py."""
    return (ROOT / "__init__.py").is_file()


def command() -> str:
    """What one types before a command, as in `nightcrew status`."""
    return NAME if is_installed() else "python main.py"


_options: list[str] = []


def keep_options(options: list[str]) -> None:
    """Remember the options by which a command is about one project, for what `caller` gives."""
    _options[:] = options


def caller() -> str:
    """What one types before a command so that it is about the same project: the program, and the options given."""
    return " ".join([command(), shlex.join(_options)]).strip()


def config_file() -> Path:
    """The configuration file when none is given: of a checkout the one in the folder where the program is called."""
    return user_folder("XDG_CONFIG_HOME", ".config") / NAME / "config.yaml" if is_installed() else Path("config.yaml")


def default_folders(config: Path | None) -> tuple[Path, Path]:
    """Where relative paths of the settings start, and where that of the logs does: at the folder of the file, or, of an
    installed program whose owner gave no file (None), at the user's folders for data and for state.
    """
    if config is None and is_installed():
        return data_folder(), user_folder("XDG_STATE_HOME", ".local/state") / NAME
    folder = (config or config_file()).resolve().parent
    return folder, folder


def data_folder() -> Path:
    """The user's folder for data of an installed program."""
    return user_folder("XDG_DATA_HOME", ".local/share") / NAME


def user_folder(variable: str, otherwise: str) -> Path:
    """The folder that an XDG variable names, or the one below the user's home that it stands for."""
    given = Path(os.environ.get(variable, ""))
    # The specification: a relative path is invalid and is to be ignored.
    return given if given.is_absolute() else Path.home() / otherwise
