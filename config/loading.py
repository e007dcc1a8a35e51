"""From `config.yaml` to `Settings`: read, expand `${VAR}`, validate, and say clearly what is wrong.

The JSON schema by which editors do the same is made here, too.
"""

from __future__ import annotations

import difflib
import errno
import io
import logging
import os
import re
import select
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from config.errors import ConfigError, ConfigProblem
from config.locations import located, without_alternatives
from config.program import config_file
from config.reading import read_values
from config.settings import Settings

_MOST_VALUES, _MOST_LEVELS = 20_000, 20

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(:-|\})")
_OPEN = re.compile(r"\$\{(?=[A-Za-z_])")
_PREFIX = "AI_AGENTS_"
_OTHER_VARIABLES = (
    *("AI_AGENTS_CACHE", "AI_AGENTS_APPARMOR", "AI_AGENTS_MEMORY", "AI_AGENTS_RESTART"),
    "AI_AGENTS_LLM__LOCAL_MODEL_PATH",
)
"""Variables of ours that are no settings, and a setting by its former name."""
_SECRET_NAMES = ("key", "token", "secret", "password")
SECRET_VARIABLES = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GIT_TOKEN", "ALERT_URL", "HF_TOKEN")
"""Variables that may come from files: systemd's credentials, or what NAME_FILE names, such as a secret of Docker."""
CREDENTIALS = "secrets"
"""Before the names of credentials that systemd makes of the files of a folder: `secrets_GIT_TOKEN`."""
_LONGEST_SECRET, _SECRET_SECONDS = 10_000, 10


def load_settings(path: Path | None = None, overrides: Mapping[str, Mapping[str, object]] | None = None) -> Settings:
    """Settings from the file at `path` (default `config.yaml`; a missing default file means all defaults).

    `overrides` (section -> key -> value, from the command line) override everything. `.env` beside the file is
    read into the process environment without replacing what is there; without the file, or if somebody else owns it,
    it is not ours to read: any folder may hold one. Secrets that are then not set are read from files: see
    `SECRET_VARIABLES`.

    Raises `ConfigError` with one problem per wrong key or value.
    """
    source = path or config_file()
    if path is not None and not path.is_file():
        what = "is no file" if path.exists() else "not found"
        raise ConfigError(str(path), [ConfigProblem("(file)", "", f"{what}; give --config an existing file")])
    _load_variables(source)
    _load_secret_files()
    _check_variables()
    values = _expanded(read_values(source), str(source)) if source.is_file() else {}
    try:
        settings = Settings(**cast(dict[str, Any], values))
        if overrides:
            settings = with_values(settings, overrides)
    except ValidationError as error:
        problems = [_problem(detail) for detail in without_alternatives(Settings, error.errors())]
        by_variables = all(problem.path.startswith(_PREFIX) for problem in problems)
        raise ConfigError("the environment" if by_variables else str(source), problems) from None
    except SettingsError as error:
        raise ConfigError("the environment", [_unread(str(error))]) from None
    return settings


def _check_variables() -> None:
    """Refuse variables that look like settings and are none: nobody would notice that they do nothing."""
    problems = []
    for name in sorted(os.environ):
        if not name.upper().startswith(_PREFIX) or name.upper() in _OTHER_VARIABLES:
            continue
        location = name[len(_PREFIX) :].lower().split("__")
        field = Settings.model_fields.get(location[0])
        inner = field.annotation if field else None
        if field is None:
            problems.append(ConfigProblem(name, "", _unknown_key(location[:1])))
        elif (
            isinstance(inner, type)
            and issubclass(inner, BaseModel)
            and len(location) > 1
            and location[1] not in inner.model_fields
        ):
            problems.append(ConfigProblem(name, "", _unknown_key(location[:2])))
    if problems:
        raise ConfigError("the environment", problems)


def _unread(message: str) -> ConfigProblem:
    """A variable whose value is no JSON, where a setting with several values needs it."""
    found = re.search(r'field "(\w+)"', message)
    name = f"{_PREFIX}{found[1].upper()}" if found else _PREFIX
    return ConfigProblem(f"{name}…", "", 'write lists and sections as JSON, such as ["todo", "lint"]; one setting of a '
                         "section is AI_AGENTS_SECTION__SETTING")  # fmt: skip


def _load_secret_files() -> None:
    """Set the variables of secrets that lie in files, unless they are set: NAME_FILE, then $CREDENTIALS_DIRECTORY/NAME.

    systemd puts a prefix before the names of files that it hands over as a folder; the one in our unit is CREDENTIALS.
    """
    folder = Path(os.environ.get("CREDENTIALS_DIRECTORY") or "/nonexistent")
    for name in SECRET_VARIABLES:
        if os.environ.get(name):
            continue
        variable = f"{name}_FILE"
        if named := os.environ.get(variable):
            os.environ[name] = _secret(Path(named), variable, "which it names")
            continue
        for file in (folder / name, folder / f"{CREDENTIALS}_{name}"):
            if _may_be_there(file):
                os.environ[name] = _secret(file, name, "a credential of the service")
                break


def _may_be_there(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:
        return True  # and reading it says why not


def _secret(file: Path, variable: str, what: str) -> str:
    """The text of a secret's file without the space around it. Raises `ConfigError`, in which the text never stands."""
    try:
        text = _beginning(file, _LONGEST_SECRET + 1).decode("utf-8-sig").strip()
        problem = "is empty; write the secret into it" if not text else ""
        if len(text) > _LONGEST_SECRET or "\0" in text:
            problem = "is no secret: it is too long or binary; name the file that holds only the secret"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}; correct the path, or let the user of this program read it"
    except UnicodeDecodeError:
        problem = "is no UTF-8 text; write the secret into it"
    if problem:
        raise ConfigError("the environment", [ConfigProblem(variable, "", f"{file}, {what}, {problem}")])
    return text


def _beginning(file: Path, most: int) -> bytes:
    """At most so many bytes of a file, or of a pipe, as of `<(pass show openai)`, which may keep nobody waiting."""
    read = b""
    with open(file, "rb", buffering=0, opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as opened:
        ready = select.poll()
        ready.register(opened, select.POLLIN)
        while len(read) < most:
            part = opened.read(most - len(read))
            if part is None and not ready.poll(_SECRET_SECONDS * 1000):
                raise TimeoutError(errno.ETIMEDOUT, f"nobody wrote into it for {_SECRET_SECONDS} s")
            if part == b"":
                break
            read += part or b""
    return read


def _load_variables(source: Path) -> None:
    file = source.parent / ".env"
    if not file.exists():
        return
    if not source.is_file():
        print(f"{file} is not read: no {source.name} lies beside it. Give --config, or export it.", file=sys.stderr)
    elif file.stat().st_uid not in (0, os.geteuid()):
        print(f"{file} is not read: it belongs to another user. See that it is your own.", file=sys.stderr)
    else:
        from dotenv import load_dotenv
        from dotenv.parser import parse_stream

        try:
            text = file.read_text(encoding="utf-8-sig")
        except OSError as error:
            told = f"cannot be read: {error.strerror}"
            raise ConfigError(str(file), [ConfigProblem("(file)", "", told)]) from None
        except UnicodeDecodeError:
            raise ConfigError(str(file), [ConfigProblem("(file)", "", "is no UTF-8 text; save it as UTF-8")]) from None
        if "\0" in text:
            told = "holds a character that no variable can have (NUL); write it anew"
            raise ConfigError(str(file), [ConfigProblem("(file)", "", told)])
        lines = [binding.original.line for binding in parse_stream(io.StringIO(text)) if binding.error]
        for line in lines:
            print(f"{file}, line {line}: left out, since it is no NAME=value with its quotes closed", file=sys.stderr)
        logging.getLogger("dotenv.main").setLevel(logging.ERROR)  # it would say the same in its own words
        load_dotenv(stream=io.StringIO(text), override=False)


def _expanded(values: dict[str, object], source: str) -> dict[str, object]:
    problems: list[ConfigProblem] = []
    left = _MOST_VALUES

    def expand(node: object, where: str) -> object:
        nonlocal left
        left -= 1
        if left < 0 or where.count(".") + where.count("[") > _MOST_LEVELS:
            said = "has too many values, or an anchor that contains itself; write them without anchors"
            raise ConfigError(source, [ConfigProblem("(file)", "", said)])
        if isinstance(node, dict):
            inner = {str(key): expand(value, f"{where}.{key}" if where else str(key)) for key, value in node.items()}
            return {key: value for key, value in inner.items() if value is not None}
        if isinstance(node, list):
            return [expand(value, f"{where}[{index}]") for index, value in enumerate(node)]
        if not isinstance(node, str) or "${" not in node:
            return node

        def unset(name: str) -> None:
            told = f"{name} is not set; export it or write ${{{name}:-default}}"
            problems.append(ConfigProblem(where, node, told))

        if any(_closing(node[found.end() :]) is None for found in _OPEN.finditer(node)):
            problems.append(ConfigProblem(where, node, "a ${ is not closed; write ${NAME} or ${NAME:-default}"))
            return None
        text = _with_variables(node, unset)
        # A value that expands to nothing counts as a key that is not there.
        return (yaml.safe_load(text) if _is_scalar(text) else text) if text else None

    expanded = expand(values, "")
    if problems:
        raise ConfigError(source, problems)
    assert isinstance(expanded, dict)
    return expanded


def _with_variables(text: str, unset: Callable[[str], None]) -> str:
    """`text` with the values of `${NAME}`; a default behind `:-` may hold others. `unset` is told of those without."""
    made, left = "", text
    while found := _VARIABLE.search(left):
        made, left = made + left[: found.start()], left[found.end() :]
        value, default = os.environ.get(found[1]), None
        if found[2] == ":-":
            end = _closing(left)
            default, left = (left, "") if end is None else (left[:end], left[end + 1 :])
        if value:
            made += value
        elif default is not None:
            made += _with_variables(default, unset)
        else:
            unset(found[1])
    return made + left


def _closing(text: str) -> int | None:
    """The place of the brace that closes the one before `text`."""
    depth = 1
    for place, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if not depth:
            return place
    return None


def _is_scalar(text: str) -> bool:
    """Numbers and booleans from `${VAR}` keep their type; everything else is text."""
    return re.fullmatch(r"-?\d+(\.\d+)?|true|false", text) is not None


def with_values(settings: Settings, overrides: Mapping[str, Mapping[str, object]]) -> Settings:
    """The settings with `overrides` (section -> key -> value) in them; None is the default of the key.

    Raises pydantic's `ValidationError`.
    """
    changed = {}
    for section, values in overrides.items():
        before = getattr(settings, section)
        plain = before.model_dump(exclude_unset=False) | dict(values)
        changed[section] = type(before).model_validate(
            {key: value for key, value in plain.items() if value is not None}
        )
    return settings.model_copy(update=changed)


def _problem(detail: ErrorDetails) -> ConfigProblem:
    location = [*located(Settings, detail["loc"]).path]
    path = _variable_of(location) or ".".join(location)
    if detail["type"] == "extra_forbidden":
        return ConfigProblem(path, "", _unknown_key(detail["loc"]))
    if detail["type"] == "missing":
        return ConfigProblem(
            path,
            "",
            "is missing; what stands beside it needs it (`config set KEY VALUE KEY VALUE` sets both)",
        )
    value = "***" if location[-1].lower().endswith(_SECRET_NAMES) else repr(detail["input"])
    if isinstance(detail["input"], dict):
        value = ""  # of a whole section the words say which keys they are about
    told = detail["msg"].removeprefix("Value error, ")
    if detail["type"] in ("model_type", "model_attributes_type", "dict_type"):
        told = "is a section: write its keys below it, indented, each as KEY: VALUE"
    elif detail["type"] == "string_type":
        told = "must be text; put it in quotes"
    return ConfigProblem(path, value, told[0].lower() + told[1:])


def _variable_of(location: Sequence[str]) -> str:
    """The variable that sets what is there, with what stands in it; empty if the file does or the default."""
    variables = {name.upper(): name for name in os.environ if name.upper().startswith(_PREFIX)}
    for length in range(len(location), 0, -1):
        name = variables.get(_PREFIX + "__".join(location[:length]).upper())
        rest = location[length:]
        if name and (not rest or f'"{rest[0]}"' in os.environ[name] or rest[0].isdigit()):
            return ".".join([name, *rest])
    return ""


def _unknown_key(parts: Sequence[str | int]) -> str:
    place = located(Settings, parts)
    allowed, location = list(place.section.model_fields), place.path
    close = difflib.get_close_matches(location[-1], allowed, n=1)
    hint = f"did you mean `{close[0]}`? " if close else ""
    return f"unknown key; {hint}allowed here: {', '.join(allowed)}"


def json_schema(names: Mapping[str, Sequence[str]] | None = None) -> dict[str, object]:
    """The JSON schema by which an editor checks `config.yaml`. Settings that are not free text accept `${VAR}`, too.

    `names`: the path of a setting (`llm.provider`) -> its allowed values, where a registry decides on them.
    """
    schema = Settings.model_json_schema()
    schema["title"] = "AI Agents configuration"
    for path, allowed in (names or {}).items():
        section, key = path.split(".")
        definition = schema["properties"][section]["$ref"].rpartition("/")[2]
        schema["$defs"][definition]["properties"][key]["enum"] = list(allowed)
    for definition in schema.get("$defs", {}).values():
        for name, field in list(definition.get("properties", {}).items()):
            definition["properties"][name] = _or_variable(field)
    # A section whose every line is commented out reads as null.
    for name, section in schema["properties"].items():
        schema["properties"][name] = {"anyOf": [section, {"type": "null"}]}
    return schema


def _or_variable(field: dict[str, object]) -> dict[str, object]:
    if field.get("type") == "string" and "enum" not in field:
        return field
    outer = {key: field.pop(key) for key in ("title", "description", "default") if key in field}
    return outer | {"anyOf": [field, {"type": "string", "pattern": r"^\$\{[A-Za-z_].*\}$"}]}
