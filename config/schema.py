"""The JSON schema by which an editor checks `config.yaml` while it is written."""

from __future__ import annotations

from config.settings import Settings


def json_schema() -> dict[str, object]:
    """JSON schema of `config.yaml`. Values that are not text also accept a `${VAR}` string."""
    schema = Settings.model_json_schema()
    schema["title"] = "AI Agents configuration"
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
