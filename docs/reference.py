"""Writes the two pages that the program itself knows best: `CONFIGURATION.md` and `COMMANDS.md`.

`make docs` runs it. The pages are checked in, so that they can be read where the repository is; a test compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from agents.registry import allowed_names
from cli.app import COMMANDS, app, command_of
from config import Settings, json_schema
from llm import PROVIDERS

FOLDER = Path(__file__).parent
_GENERATED = (
    "<!-- Written by docs/reference.py; change the texts where they stand in the program, then run `make docs`. -->"
)

Schema = dict[str, Any]
"""A JSON schema, which nests without end."""

# -- CONFIGURATION.md ------------------------------------------------------------------------------------------------

_CONFIGURATION = """\
# Configuration

Every key of `config.yaml`, made from the program's own settings. No key has to be set: what is missing has its default,
and your file holds only what differs. `nightcrew config path` says where that is: in a checkout beside `main.py`, of an
installed program in `~/.config/nightcrew`. `nightcrew config set budget.day_usd 5` changes a key and leaves your
comments as they are; `nightcrew config check` says whether the file is right, and where it is not.

```yaml
llm:
  model: gpt-5-mini
budget:
  day_usd: 5
git:
  repository_url: ${GIT_REPO_URL:-}
```

- **Environment.** Each key has a variable, `AI_AGENTS_SECTION__KEY`, which comes before the file:
  `AI_AGENTS_LLM__MODEL=gpt-5-mini`. Lists and whole sections are written as JSON:
  `AI_AGENTS_PROJECT__TASKS_FROM='["todo", "lint"]'`. A variable that begins with `AI_AGENTS_` and names no
  setting is an error.
- **In the file**, `${NAME}` is replaced by the environment variable `NAME`, and `${NAME:-text}` by `text` if
  there is none.
- **Secrets** belong in the environment, or in a file `.env` beside `config.yaml`; it is read if it
  belongs to you. Or in a file of their own: `OPENAI_API_KEY_FILE=/run/secrets/openai`, or a credential of systemd.
- **Editors** check the file while you type: `config/schema.json` is its JSON schema (also `nightcrew config schema`).
- Changes count from the next start on.

## Keys of providers, and other variables

| variable | what it is for |
|---|---|
"""
_VARIABLES = {
    "AI_AGENTS_CACHE": "Folder of the embedded models (default: `ai-agents` in `$XDG_CACHE_HOME` or `~/.cache`).",
    "HF_ENDPOINT": "Hub that embedded models are fetched from (default: `https://huggingface.co`).",
    "HF_TOKEN": "Token for models of the hub that are not for everybody.",
    "GIT_REPO_URL": "The repository, where `config.yaml` has `${GIT_REPO_URL:-}`.",
    "GIT_TOKEN": "Token for https remotes, where `config.yaml` has `${GIT_TOKEN:-}`.",
    "ALERT_URL": "Address that alerts go to, where `config.yaml` has `${ALERT_URL:-}`.",
}


def configuration_page() -> str:
    """`CONFIGURATION.md`, from the settings in `config/` and the registries that decide on names."""
    schema = json_schema(allowed_names())
    keys = {p.key_variable: f"Key of `{p.name}`." for p in PROVIDERS.values() if p.key_variable}
    page = _CONFIGURATION + "".join(f"| `{name}` | {what} |\n" for name, what in (keys | _VARIABLES).items())
    for name in Settings.model_fields:
        section = _plain(schema["properties"][name], schema)  # type: ignore[index]  # the top is a mapping
        page += f"\n## `{name}`\n\n{_prose(section['description'])}\n"
        page += "".join(_settings(name, section, schema))
    return f"{_GENERATED}\n\n{page}"


def _settings(path: str, section: Schema, schema: Schema) -> Iterator[str]:
    """The entries of a section's keys; those of a section inside it follow its own."""
    if "additionalProperties" in section and "properties" not in section:
        path += ".NAME"
        section = _plain(section["additionalProperties"], schema)
    for key, field in section["properties"].items():
        place, kind = f"{path}.{key}", _plain(field, schema)
        if not (said := field.get("description") or kind.get("description")):
            raise ValueError(f"{place} has no sentence; give its field in config/ a description")
        yield f"\n### `{place}`\n\n{_prose(said)}\n"
        if "properties" in kind or "properties" in _plain(kind.get("additionalProperties") or {}, schema):
            yield from _settings(place, kind, schema)
        elif named := kind.get("patternProperties"):
            yield f"\nnames, each with what follows · {_default(field.get('default'))}\n"
            yield from _alternatives(f"{place}.NAME", next(iter(named.values())), schema)
        else:
            default = "" if key in section.get("required", ()) else f" · {_default(field.get('default'))}"
            yield f"\n{_values(kind, schema)}{default} · `AI_AGENTS_{place.replace('.', '__').upper()}`\n"


def _alternatives(path: str, section: Schema, schema: Schema) -> Iterator[str]:
    """The entries of a section that comes in several kinds: what all have in common first, then each kind's own."""
    kinds = [_plain(each, schema) for each in section["oneOf"]]
    shared = [key for key, field in kinds[0]["properties"].items()
              if all(kind["properties"].get(key) == field for kind in kinds)]  # fmt: skip
    yield from _settings(path, {"properties": {key: kinds[0]["properties"][key] for key in shared}}, schema)
    for kind in kinds:
        own = {key: field for key, field in kind["properties"].items() if key not in shared}
        target = own.pop("target")
        yield f"\n### `{path}.target: {target['const']}`\n\n{_prose(target['description'])}\n"
        yield from _settings(f"{path}", {**kind, "properties": own}, schema)


def _plain(field: Schema, schema: Schema) -> Schema:
    """A field's own schema: not that it may be empty or `${VAR}`, and what it refers to put in its place."""
    while True:
        if "$ref" in field:
            field = field | schema["$defs"][field["$ref"].rpartition("/")[2]]
            del field["$ref"]
        kinds = [kind for kind in field.get("anyOf", ()) if kind.get("type") != "null" and "${" not in _shape(kind)]
        if len(kinds) != 1:
            return field | ({"anyOf": kinds} if kinds else {})
        field = {key: value for key, value in field.items() if key != "anyOf"} | kinds[0]


def _shape(kind: Schema) -> str:
    return str(kind.get("pattern", "")).replace("\\", "")


def _values(kind: Schema, schema: Schema) -> str:
    """What may stand there, in words."""
    if "additionalProperties" in kind:
        return f"names, each with {_values(_plain(kind['additionalProperties'], schema), schema)}"
    if "anyOf" in kind:
        return " or ".join(_values(_plain(each, schema), schema) for each in kind["anyOf"])
    if allowed := [value for value in kind.get("enum", [kind.get("const")]) if isinstance(value, str)]:
        return _any_of(allowed)
    match kind.get("type"):
        case "array":
            return f"list of {_values(_plain(kind['items'], schema), schema)}"
        case "boolean":
            return "`true` or `false`"
        case "integer" | "number" as number:
            return ("whole number" if number == "integer" else "number") + _bounds(kind)
        case _:
            return {"path": "path", "password": "text, a secret"}.get(kind.get("format", ""), "text")


def _bounds(kind: Schema) -> str:
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    said = [f"{word} {kind[key]:,g}" if kind[key] < 1e6 else f"{word} {kind[key]:,}"
            for key, word in words.items() if key in kind]  # fmt: skip
    return f", {' and '.join(said)}" if said else ""


def _any_of(names: list[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return " or ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))


def _default(value: object) -> str:
    match value:
        case None:
            return "not set"
        case "" | [] | {}:
            return "empty by default"
        case bool():
            return f"default `{str(value).lower()}`"
        case list():
            return f"default {', '.join(f'`{each}`' for each in value)}"
        case float():
            return f"default `{value:g}`"
        case _:
            return f"default `{value}`"


# -- COMMANDS.md -----------------------------------------------------------------------------------------------------

_COMMANDS = """\
# Commands

Every command, made from the program's own help. They are written for an installed program; in a checkout write
`python main.py` in place of `nightcrew`. `nightcrew COMMAND --help` says the same.

Exit codes: 0 it worked, 1 it did not, 2 the call or the configuration is wrong.

"""


def commands_page() -> str:
    """`COMMANDS.md`, from the command line itself."""
    top = typer.main.get_command(app)
    page = _COMMANDS + f"## Before every command\n\n{_listed(top)}"
    for name in COMMANDS:
        page += f"\n## {name}\n\n" + _command(f"nightcrew {name}", command_of(name))
    return f"{_GENERATED}\n\n{page}"


def _command(path: str, command: Any) -> str:
    inner: Mapping[str, Any] = getattr(command, "commands", {})
    text = f"{_prose(command.help)}\n"
    if not inner or command.invoke_without_command:
        words = [
            piece
            for param in command.params
            for piece in param.get_usage_pieces(None)
            if param.param_type_name == "argument"
        ]
        text += f"\n```\n{' '.join([path, *words, '[OPTIONS]'])}\n```\n\n{_listed(command)}"
    for name, each in inner.items():
        text += f"\n### {path.partition(' ')[2]} {name}\n\n" + _command(f"{path} {name}", each)
    return text


def _listed(command: Any) -> str:
    """What is given to a command, a line each. `--help` stands beside all of them."""
    context = typer.Context(command)
    lines = []
    for param in command.params:
        record = None if getattr(param, "hidden", False) else param.get_help_record(context)
        if record and not {"--help", "--install-completion", "--show-completion"} & set(param.opts):
            names, said = (" ".join(text.split()) for text in record)
            lines.append(f"- `{names.removesuffix(' <bool>')}`: {_prose(said)}\n")
    return "".join(lines)


def _prose(text: str) -> str:
    """A text of the program as Markdown: what is not in backticks means nothing else there."""
    lines = "\n\n".join(" ".join(part.split()) for part in text.replace("\\[", "[").split("\n\n"))
    pieces = re.split(r"(`[^`]+`)", lines)
    return "".join(
        piece if piece.startswith("`") else piece.replace("*", r"\*").replace("<", "&lt;") for piece in pieces
    )


PAGES = {"CONFIGURATION.md": configuration_page, "COMMANDS.md": commands_page}

if __name__ == "__main__":
    for name, made in PAGES.items():
        (FOLDER / name).write_text(made(), encoding="utf-8")
