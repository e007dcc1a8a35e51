"""The JSON schema by which an editor checks `config.yaml` while it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from config.settings import Settings


def json_schema(keys: Mapping[str, Sequence[str]] | None = None) -> dict[str, object]:
    """JSON schema of `config.yaml`. Values that are not text also accept a `${VAR}` string.

    `keys`: section -> the only keys that are allowed in it, for sections whose keys come from a registry.
    """
    schema = Settings.model_json_schema()
    schema["title"] = "AI Agents configuration"
    for definition in schema.get("$defs", {}).values():
        for name, field in list(definition.get("properties", {}).items()):
            definition["properties"][name] = _or_variable(field)
    for name, allowed in (keys or {}).items():
        schema["properties"][name]["propertyNames"] = {"enum": list(allowed)}
    # A section whose every line is commented out reads as null.
    for name, section in schema["properties"].items():
        schema["properties"][name] = {"anyOf": [section, {"type": "null"}]}
    return schema


def _or_variable(field: dict[str, object]) -> dict[str, object]:
    if field.get("type") == "string" and "enum" not in field:
        return field
    outer = {key: field.pop(key) for key in ("title", "description", "default") if key in field}
    return outer | {"anyOf": [field, {"type": "string", "pattern": r"^\$\{[A-Za-z_].*\}$"}]}
