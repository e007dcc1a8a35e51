"""`config`: where the configuration is, what it says, and changing it without losing a comment."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic_core import to_jsonable_python

from cli.options import EXIT_FAILED, EXIT_USAGE, AsJson, Choice, choice_of, err, fail, out
from cli.project import load, print_json
from cli.reading import config_commands
from config import ConfigError, Settings, command, config_file
from config.editing import is_text, key_parts, replace, set_values
from monitoring import redact

__all__ = ["config_commands"]

_SECRETS = ("api_key", "token", "urls")
_EDITORS = ("VISUAL", "EDITOR")

Key = Annotated[str, typer.Argument(help="SECTION.KEY, such as budget.day_usd or agents.developer.model.")]


@config_commands.command("path")
def path(ctx: typer.Context) -> None:
    """Show which file is read, whether it is there or not."""
    out.print(str(_file(choice_of(ctx))), markup=False, soft_wrap=True)


@config_commands.command("get")
def get(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(help="SECTION.KEY or SECTION; without it everything is shown.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show the value that counts: the file's, the environment's, or the default."""
    value: Any = load(choice_of(ctx)).settings
    for part in _parts(key) if key else []:
        if isinstance(value, dict) and part not in value:
            named = f"; set are: {', '.join(value)}" if value else ""
            raise fail(f"{key}: {part} is not set{named}", EXIT_USAGE)
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    plain = to_jsonable_python(value)  # secrets as stars
    if as_json:
        print_json(plain)
    elif isinstance(plain, (dict, list)):
        out.print(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True).rstrip(), markup=False, soft_wrap=True)
    else:
        out.print("" if plain is None else str(plain).lower() if isinstance(plain, bool) else str(plain), markup=False,
                  soft_wrap=True)  # fmt: skip


@config_commands.command("set")
def set_(
    ctx: typer.Context,
    key: Key,
    value: Annotated[str, typer.Argument(help="The value as YAML: 5, true, [a, b], or text. Quote it for the shell.")],
) -> None:
    """Set a value in the file. Comments stay; a value that is not allowed changes nothing and ends with 2."""
    given: object = value or None
    if not _is_text(key) or (value.startswith("[") and value.endswith("]")):
        try:
            given = yaml.safe_load(value)
        except yaml.YAMLError:
            given = value
    if key.rpartition(".")[2] in _SECRETS and given and "${" not in value:
        raise fail(
            f"{key} is a secret, which does not belong in the file: write NAME=… into {_file(choice_of(ctx)).parent}"
            f"/.env, and set {key} to '${{NAME}}'",
            EXIT_USAGE,
        )
    if given is None:
        raise fail(f"the value is empty; to go back to the default: {command()} config unset {key}", EXIT_USAGE)
    change(choice_of(ctx), {key: given})
    told = os.environ.get(f"AI_AGENTS_{key.upper().replace('.', '__')}")
    if told is not None:
        err.print(f"The environment sets it to {told!r}, which counts.", markup=False, soft_wrap=True)


@config_commands.command("unset")
def unset(ctx: typer.Context, key: Key) -> None:
    """Take a value out of the file, so that its default counts again."""
    _parts(key)
    change(choice_of(ctx), {key: None})


@config_commands.command("edit")
def edit(ctx: typer.Context) -> None:
    """Open the file in your editor ($VISUAL, $EDITOR). It is put in place only if it is right."""
    editor = next((os.environ[name] for name in _EDITORS if os.environ.get(name)), "vi")
    file = _file(choice_of(ctx))
    with tempfile.TemporaryDirectory(prefix="ai-agents-") as folder:
        copy = Path(folder) / file.name
        copy.write_bytes(file.read_bytes() if file.is_file() else b"")
        before = copy.read_bytes()
        while True:
            try:
                ended = subprocess.run([*shlex.split(editor), str(copy)])
            except (OSError, ValueError) as problem:
                raise fail(f"the editor {editor!r} cannot be started: {problem}; set EDITOR") from None
            if ended.returncode:
                raise fail(f"the editor ended with {ended.returncode}; {file} is as it was", EXIT_FAILED)
            if copy.read_bytes() == before:
                out.print("Nothing was changed.")
                return
            try:
                replace(file, lambda _: copy.read_bytes().decode(), partial(_check_names, file))
            except ConfigError as problem:
                err.print(str(problem), markup=False, soft_wrap=True)
                if not typer.confirm("Edit it again? (no: leave the file as it was)", default=True, err=True):
                    raise typer.Exit(EXIT_USAGE) from None
            else:
                out.print(f"Written to {file}.{_RESTART}", markup=False, soft_wrap=True)
                return


_RESTART = " A running daemon reads it at its next start."


def change(choice: Choice, values: dict[str, object]) -> None:
    """Change the file of the configuration and say so; a value that is not allowed ends the command."""
    file = _file(choice)
    for key, value in values.items():
        if isinstance(value, str) and redact(value) != value:
            raise fail(
                f"{key} would hold a key or a password, which does not belong in the file: write NAME=… into "
                f"{file.parent}/.env and ${{NAME}} here; for the repository's host set GIT_TOKEN there",
                EXIT_USAGE,
            )
    try:
        changed = set_values(file, values, partial(_check_names, file))
    except ConfigError as problem:
        raise fail(str(problem), problem.exits_with) from None
    if changed:
        out.print(f"Written to {file}.{_RESTART}", markup=False, soft_wrap=True)
    else:
        out.print(f"Nothing to change: {file} says so already.", markup=False, soft_wrap=True)


def _check_names(file: Path, settings: Settings) -> None:
    from agents.registry import check_names

    check_names(settings, str(file))


def _parts(key: str) -> list[str]:
    """The parts of a key; one that is no setting ends the command."""
    try:
        return key_parts(key)
    except ValueError as problem:
        raise fail(str(problem), EXIT_USAGE) from None


def _is_text(key: str) -> bool:
    _parts(key)
    return is_text(key)


def _file(choice: Choice) -> Path:
    return (choice.config or config_file()).absolute()
