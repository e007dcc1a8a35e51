"""The unit file of the daemon as a service of systemd, made from `service.jinja` beside this file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from config.loading import CREDENTIALS
from config.program import user_folder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,30}(@[A-Za-z0-9][A-Za-z0-9_.-]{0,60})?")
_HIDDEN = ("/home", "/root", "/run/user")
"""What a system service does not see (ProtectHome)."""
_USERS_VARIABLES = ("PATH", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
"""What a service of a user has as the user's terminal has it: where programs such as node are, and the own files."""


@dataclass(frozen=True)
class Unit:
    """A service: `ai-agents`, or `ai-agents@library`, one of several that share the template `ai-agents@.service`.

    The folders of the latter end in its part behind the @, for which %i stands in the template. Raises ValueError if
    the name, or a configuration file that is not named after its part, cannot be one.
    """

    name: str
    program: tuple[str, ...]
    """What is run, with absolute paths."""
    for_user: bool = False
    config: Path = Path()
    """Unset: `config.yaml` in the folder of the state."""
    names_config: bool = True
    """Whether --config says so; else the program finds it, as without a service, and keeps its state accordingly."""
    manual: Path | None = None
    repository: str = ""
    """What --repo says; without it the configuration names the repository."""
    writable: tuple[Path, ...] = ()
    """What it writes outside its folder."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} cannot be the name of a service; write NAME or NAME@PROJECT, as ai-agents")
        if self.config == Path():
            object.__setattr__(self, "config", self.folder / "config.yaml")
        if self.project and "%i" not in self._shared(self.config):
            raise ValueError(
                f"services of {self.base}@ share one unit, in which the name stands for the configuration: call the "
                f"file, or its folder, {self.project} instead of {self.config}"
            )
        if self.project and (self.repository or self.writable):
            raise ValueError(
                f"services of {self.base}@ share one unit, so that each keeps its files below {self.folder} and names "
                f"its repository in {self.config}: set git.repository_url there, and no other folders"
            )

    @property
    def base(self) -> str:
        """The name of all services of the template; of a system service also that of its user."""
        return self.name.partition("@")[0]

    @property
    def project(self) -> str:
        """The part of the name behind the @."""
        return self.name.partition("@")[2]

    @property
    def file(self) -> Path:
        """Where the unit is written."""
        folder = user_folder("XDG_CONFIG_HOME", ".config") / "systemd/user" if self.for_user else None
        return (folder or Path("/etc/systemd/system")) / f"{self.base}{'@' if self.project else ''}.service"

    @property
    def etc(self) -> Path:
        """The folder of its keys and variables."""
        return (user_folder("XDG_CONFIG_HOME", ".config") if self.for_user else Path("/etc")) / self.base

    @property
    def home(self) -> Path:
        """The folder of the state of all services of that name."""
        return (user_folder("XDG_STATE_HOME", ".local/state") if self.for_user else Path("/var/lib")) / self.base

    @property
    def folder(self) -> Path:
        """The folder of this one's state."""
        return self.home / "projects" / self.project if self.project else self.home

    def render(self) -> str:
        """The text of the unit file."""
        bound = [path for path in self.writable if is_hidden(path)]
        folder = self.config.parent if self.for_user else self.folder
        config = self._shared(self.config)
        kept = {name: os.environ[name] for name in _USERS_VARIABLES if self.for_user and os.environ.get(name)}
        return _templates.get_template("service.jinja").render(
            unit=f"{self.base}@" if self.project else self.base,
            for_user=self.for_user,
            account=self.base,
            manual=self.manual,
            folder=_escaped(self._shared(folder)),
            credentials_prefix=CREDENTIALS,
            etc=_escaped(str(self.etc)),
            variables=[_word(f"{name}={value}") for name, value in kept.items()],
            program=" ".join(map(_argument, [*self.program, *(["--config", config] if self.names_config else [])])),
            config=_word(config),
            repository=_argument(self.repository) if self.repository else "",
            state=" ".join([self.base, f"{self.base}/projects/%i"]) if self.project else self.base,
            writable=[_word(str(path)) for path in self.writable if path not in bound],
            bound=" ".join(_word(str(path)) for path in bound),
        )

    def _shared(self, path: Path) -> str:
        """`path` with %i for the part of the name behind the @, where a folder or the file is called so."""
        text = str(path)
        places = [*re.finditer(rf"(?<=/){re.escape(self.project)}(?=/|\.ya?ml$|$)", text)] if self.project else []
        return f"{text[: places[-1].start()]}%i{text[places[-1].end() :]}" if places else text


def is_hidden(path: Path) -> bool:
    """Whether a system service cannot see that path."""
    return any(path.is_relative_to(folder) for folder in _HIDDEN)


def configuration_of(text: str, name: str) -> Path | None:
    """The configuration file of the service of that name, whose unit file is `text`; None if that is empty."""
    found = re.search(r'^ExecStart=.*? --config ("(?:[^"\\]|\\.)*"|\S+)', text, re.MULTILINE)
    if not found:  # that of the program, which works in its folder
        folder = re.search(r"^WorkingDirectory=(.*)", text, re.MULTILINE)
        return Path(folder[1].replace("%%", "%"), "config.yaml") if folder else None
    word = re.sub(r"\\(.)", r"\1", found[1].strip('"')).replace("$$", "$")
    return Path(word.replace("%i", name.partition("@")[2]).replace("%%", "%"))


def _word(text: str) -> str:
    """One word of a list as systemd reads it."""
    if re.fullmatch(r"[\w@%+=:,./-]+", text):
        return _escaped(text)
    return '"' + _escaped(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _argument(text: str) -> str:
    """One word of a command line, where a $ would be a variable."""
    return _word(text).replace("$", "$$")


def _escaped(text: str) -> str:
    """`text` with % doubled, except in %i."""
    return re.sub(r"%(?!i\b)", "%%", text)


_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701 - a unit file is no HTML
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
