"""`config`: where the configuration is, what it says, and changing it without losing a comment."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic_core import to_jsonable_python

from cli.options import EXIT_FAILED, EXIT_USAGE, AsJson, Choice, Commands, caller, choice_of, err, fail, out
from cli.project import load, print_json
from config import ConfigError, Settings, config_file, json_schema
from config.editing import Key, find_key, replace, set_values
from monitoring import redact

config_commands = Commands(help="Show, change and check the configuration.", no_args_is_help=True)
_RESTART = " A running daemon reads it at its next start."

KeyName = Annotated[str, typer.Argument(help="SECTION.KEY, such as budget.day_usd or agents.developer.model.")]


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
    for part in _setting(key).path if key else []:
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


@config_commands.command("set", context_settings={"ignore_unknown_options": True})  # a value may be -1
def set_(
    ctx: typer.Context,
    pairs: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY VALUE",
            help="SECTION.KEY, such as budget.day_usd, and the value as YAML: 5, true, [a, b], {a: b}, or text. Quote "
            "it for the shell. Several pairs are set together, or none of them.",
        ),
    ],
) -> None:
    """Set values in the file. Comments stay; a value that is not allowed changes nothing and ends with 2."""
    if len(pairs) % 2:
        raise fail(f"{pairs[-1]} has no value; give pairs: {caller()} config set KEY VALUE [KEY VALUE …]", EXIT_USAGE)
    given = dict(zip(pairs[::2], pairs[1::2], strict=True))
    if len(given) < len(pairs) // 2:
        raise fail("a key is given twice; give each once", EXIT_USAGE)
    change(choice_of(ctx), {key: _value(ctx, key, value) for key, value in given.items()})
    for key in given:
        variable = f"AI_AGENTS_{'__'.join(_setting(key).path)}".upper()
        if variable in os.environ:
            err.print(f"The environment sets it, too, which counts: {variable}", markup=False, soft_wrap=True)


def _value(ctx: typer.Context, key: str, value: str) -> object:
    """What the owner typed for the setting `key`."""
    setting = _setting(key)
    given = setting.typed(value)
    if setting.is_secret and given and "${" not in value:
        raise fail(
            f"{key} is a secret, which does not belong in the file: write NAME=… into {_file(choice_of(ctx)).parent}"
            f"/.env, and set {key} to '${{NAME}}'",
            EXIT_USAGE,
        )
    if given is None:
        raise fail(f"the value is empty; to go back to the default: {caller()} config unset {key}", EXIT_USAGE)
    return given


@config_commands.command("unset")
def unset(ctx: typer.Context, key: KeyName) -> None:
    """Take a value out of the file, so that its default counts again."""
    _setting(key)
    change(choice_of(ctx), {key: None})


@config_commands.command("edit")
def edit(ctx: typer.Context) -> None:
    """Open the file in your editor ($VISUAL, $EDITOR). It is put in place only if it is right."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
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
                replace(file, copy.read_bytes().decode(errors="surrogateescape"), partial(_check_names, file))
            except ConfigError as problem:
                err.print(str(problem), markup=False, soft_wrap=True)
                if not typer.confirm("Edit it again? (no: leave the file as it was)", default=True, err=True):
                    raise typer.Exit(EXIT_USAGE) from None
            else:
                out.print(f"Written to {file}.{_RESTART}", markup=False, soft_wrap=True)
                return


@config_commands.command("check")
def check(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Read the configuration as the daemon would. The exit code is 2 if it is wrong; each problem is shown.

    The keys, addresses and names of all models in use have to be there, too. No model is asked; `doctor` does that.
    """
    from llm import Lineup, NotConfigured, unbounded, unlimited

    settings = load(choice_of(ctx)).settings
    try:
        models = Lineup(settings.llm, settings.agents).all()
    except NotConfigured as problem:
        raise fail(str(problem), problem.exits_with) from None
    if said := unbounded(models, settings.llm, settings.budget):
        raise fail(said, EXIT_USAGE)
    if said := unlimited(models, settings.llm, settings.budget):
        raise fail(f"{said}: set budget.day_usd or budget.no_limit", EXIT_USAGE)
    if as_json:
        print_json(settings.model_dump(mode="json"))
    else:
        out.print("The configuration is valid.")


@config_commands.command("schema")
def schema(
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Write it to this file instead of stdout.")
    ] = None,
) -> None:
    """Write the JSON schema that editors use to check config.yaml."""
    from agents.registry import allowed_names

    text = json.dumps(json_schema(allowed_names()), indent=2) + "\n"
    if file:
        file.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


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


def _setting(key: str) -> Key:
    """The setting of that name; a name that is none ends the command."""
    try:
        return find_key(key)
    except ValueError as problem:
        raise fail(str(problem), EXIT_USAGE) from None


def _file(choice: Choice) -> Path:
    return (choice.config or config_file()).absolute()
