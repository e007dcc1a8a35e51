"""What a project's own settings say to pytest, read as text: what it collects, its options, the plugins they need."""

from __future__ import annotations

import configparser
import re
import shlex
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from testing.environments.python_dependencies import text_of

FILES = ("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini")
"""Files of settings that are not dependency files for another reason."""
_PLUGINS = {
    r"--(?:no-)?cov(?:-|=|$)": ("pytest-cov", "pytest_cov"),
    r"-n\d*$|--(?:numprocesses|dist|maxprocesses)(?:=|$)": ("pytest-xdist", "xdist"),
    r"--timeout(?:-|=|$)": ("pytest-timeout", "pytest_timeout"),
    r"--randomly-|randomly$": ("pytest-randomly", "pytest_randomly"),
    r"--random-order": ("pytest-random-order", "random_order"),
    r"--benchmark-": ("pytest-benchmark", "pytest_benchmark"),
    r"--asyncio-mode": ("pytest-asyncio", "pytest_asyncio"),
    r"--reruns(?:-|=|$)": ("pytest-rerunfailures", "pytest_rerunfailures"),
    r"--ds(?:=|$)|--(?:reuse|create|no)-db$|--nomigrations$|--no-migrations$": ("pytest-django", "pytest_django"),
    r"--mypy(?:-|=|$)": ("pytest-mypy", "pytest_mypy"),
    r"--(?:html|self-contained-html)(?:=|$)": ("pytest-html", "pytest_html"),
    r"--snapshot-": ("syrupy", "syrupy"),
    r"--forked$": ("pytest-forked", "pytest_forked"),
    r"--socket|--disable-socket|--allow-": ("pytest-socket", "pytest_socket"),
    r"--ruff(?:-|$)": ("pytest-ruff", "pytest_ruff"),
    r"--black$": ("pytest-black", "pytest_black"),
    r"--flake8$": ("pytest-flake8", "pytest_flake8"),
    r"--isort$": ("pytest-isort", "pytest_isort"),
    r"--pylint": ("pytest-pylint", "pytest_pylint"),
    r"--picked": ("pytest-picked", "pytest_picked"),
    r"--instafail$": ("pytest-instafail", "pytest_instafail"),
    r"--sugar|--old-summary": ("pytest-sugar", "pytest_sugar"),
    r"--mpl": ("pytest-mpl", "pytest_mpl"),
    r"--codspeed": ("pytest-codspeed", "pytest_codspeed"),
    r"--memray": ("pytest-memray", "pytest_memray"),
    r"--env": ("pytest-env", "pytest_env"),
}
"""How an option begins -> the plugin that knows it, and its module."""
_KEYS = {"asyncio_mode": ("pytest-asyncio", "pytest_asyncio"), "timeout": ("pytest-timeout", "pytest_timeout"),
         "DJANGO_SETTINGS_MODULE": ("pytest-django", "pytest_django"), "env": ("pytest-env", "pytest_env")}  # fmt: skip
_DJANGO_KEY = "DJANGO_SETTINGS_MODULE"
_DJANGO = re.compile(r"""setdefault\(\s*["']DJANGO_SETTINGS_MODULE["']\s*,\s*["']([\w.]+)["']""")


@dataclass(frozen=True)
class PytestSettings:
    """Settings of one project; what it does not say has pytest's own default."""

    options: tuple[str, ...] = ()
    """`addopts`, word by word."""
    keys: frozenset[str] = frozenset()
    """The names of all settings."""
    test_paths: tuple[str, ...] = ()
    files: tuple[str, ...] = ("test_*.py", "*_test.py")
    functions: tuple[str, ...] = ("test",)

    def collects_file(self, name: str) -> bool:
        """Whether a file of this name holds tests, by its name."""
        return any(fnmatch(name, pattern) for pattern in self.files)

    def collects_function(self, name: str) -> bool:
        """Whether a function of this name is a test: it begins so, or fits a glob."""
        return any(name.startswith(each) or fnmatch(name, each) for each in self.functions)

    def disables(self, plugin: str) -> bool:
        """Whether the options switch a plugin off (`-p no:cov`)."""
        return f"no:{plugin}" in self.options or f"-pno:{plugin}" in self.options

    def plugins(self) -> dict[str, str]:
        """The packages of plugins that the options need, each with its module."""
        needed = [value for option in self.options for words, value in _PLUGINS.items() if re.match(words, option)]
        needed += [value for key, value in _KEYS.items() if key in self.keys]
        return {package: module for package, module in needed if not self.disables(module.removeprefix("pytest_"))}


def read_pytest_settings(source: Path) -> PytestSettings:
    """The settings of the project at `source`, from the first file in which pytest would look and that has some."""
    for name in ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"):
        found = _section(source / name)
        if found is not None:
            break
    else:
        return PytestSettings()
    plain = PytestSettings()
    options = _words(found.get("addopts"), quoted=True)
    return PytestSettings(
        options=options,
        keys=frozenset(found),
        test_paths=_words(found.get("testpaths"), quoted=True),
        files=_words(found.get("python_files"), quoted=True) or plain.files,
        functions=_words(found.get("python_functions")) or plain.functions,
    )


def django_settings(source: Path) -> str:
    """The module of settings that the manage.py of `source` names, where nothing else tells pytest; else empty."""
    found = _DJANGO.search(text_of(source / django_folder(source) / "manage.py"))
    theirs = read_pytest_settings(source)
    if found is None or _DJANGO_KEY in theirs.keys or any(option.startswith("--ds") for option in theirs.options):
        return ""
    conftests = [*source.glob("conftest.py"), *source.glob("*/conftest.py"), *source.glob("*/*/conftest.py")]
    told = any(re.search(rf"{_DJANGO_KEY}|settings\.configure", text_of(file)) for file in conftests)
    return "" if told else found[1]


def django_folder(source: Path) -> str:
    """The folder of `source` with its manage.py, from which Django's modules are imported: empty for `source` itself,
    or if several folders have one."""
    if (source / "manage.py").is_file():
        return ""
    found = [file for file in source.glob("*/manage.py") if not file.is_symlink() and _DJANGO.search(text_of(file))]
    return found[0].parent.name if len(found) == 1 else ""


def _section(file: Path) -> dict[str, object] | None:
    text = text_of(file)
    if not text and file.name not in ("pytest.ini", ".pytest.ini"):
        return None
    if file.suffix == ".toml":
        try:
            table: dict[str, object] = tomllib.loads(text)
        except (ValueError, RecursionError):
            return None
        if file.name == "pyproject.toml":
            tool = table.get("tool")
            pytest = tool.get("pytest") if isinstance(tool, dict) else None
            found = pytest.get("ini_options", pytest) if isinstance(pytest, dict) else None
        else:
            found = table.get("pytest")
        return found if isinstance(found, dict) else None
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    section = "tool:pytest" if file.name == "setup.cfg" else "pytest"
    if parser.has_section(section):
        return dict(parser.items(section))
    return {} if file.is_file() and file.name in ("pytest.ini", ".pytest.ini") else None


def _words(value: object, *, quoted: bool = False) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(str(each) for each in value)
    text = value if isinstance(value, str) else ""
    try:
        return tuple(shlex.split(text, comments=False) if quoted else text.split())
    except ValueError:
        return tuple(text.split())
