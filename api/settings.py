"""The configuration: what counts, and changes to `config.yaml` that keep its comments.

What decides about the machine, such as the sandbox, commands and addresses, is changed at the machine: whoever stole a
session could otherwise do there what they like.
"""

from __future__ import annotations

import difflib
import json
from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import to_jsonable_python

from agents.registry import check_names
from api.access import AnAdmin, AViewer
from api.errors import NotAllowed
from api.problems import problems
from api.room import Room, TheRoom
from config import Settings
from config.editing import find_key, preview, set_values
from memory.database.columns import json_text
from monitoring import redact
from owner import actions
from owner.errors import NotPossible

router = APIRouter(prefix="/api/v1/settings", tags=["settings"], responses=problems(401, 403, 422, 503))

_AT_THE_MACHINE = (
    "api.", "database.", "deployment.", "file_system.", "sandbox.", "git.repository_url", "git.token",
    "git.may_hold_secrets", "git.submodule_hosts", "llm.api_key", "llm.base_url", "llm.local_model",
    "monitoring.alerts.urls", "monitoring.logs_path", "monitoring.traces_url", "testing.auto_run", "testing.framework",
    "testing.setup_command", "testing.setup_hosts", "testing.test_command", "testing.without_suite",
)  # fmt: skip
"""Keys, and beginnings of keys, that are not changed from here."""


class SettingsFile(BaseModel):
    """The file as it is."""

    path: str
    text: str = Field(description="Without secrets.")


class SettingsChange(BaseModel):
    """Keys and their new values; null takes a key out of the file, so that its default counts again."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"values": {"budget.day_usd": 5, "project.goal": "Fewer bugs"}}]},
    )

    values: dict[Annotated[str, Field(max_length=200)], JsonValue] = Field(min_length=1, max_length=50)
    try_only: bool = Field(False, description="true: check it and show the difference, and change nothing.")


class SettingsChanged(BaseModel):
    """What came of it."""

    diff: str = Field(description="Unified diff of the file; empty: it says so already.")
    written: bool
    note: str = Field("", examples=["a running daemon reads it at its next start"])


@router.get("", summary="The configuration that counts")
def settings(room: TheRoom, _: AViewer) -> dict[str, JsonValue]:
    """File, environment and defaults together, as the daemon read them at its start; secrets masked."""
    return settings_of(room)


@router.get("/file", summary="The file")
def file(room: TheRoom, _: AnAdmin) -> SettingsFile:
    """`config.yaml` with its comments; empty where there is none."""
    text = room.config.read_text(encoding="utf-8", errors="replace") if room.config.is_file() else ""
    return SettingsFile(path=str(room.config), text=redact(text))


@router.patch("", summary="Change the file", responses=problems(409))
def change(new: Annotated[SettingsChange, Body()], room: TheRoom, visitor: AnAdmin) -> SettingsChanged:
    """Comments stay. A value that is not allowed changes nothing, and the answer says what is allowed."""
    return change_settings(room, new, visitor.name)


def settings_of(room: Room) -> dict[str, JsonValue]:
    """The effective configuration without secrets."""
    plain: dict[str, JsonValue] = json.loads(json_text(to_jsonable_python(room.settings)))
    return plain


def change_settings(room: Room, new: SettingsChange, by: str) -> SettingsChanged:
    """What the API and the page both do. Raises `NotAllowed`, `NotPossible` and `ConfigError`."""
    for key, value in new.values.items():
        must_be_allowed(key, value)

    def check(changed: Settings) -> None:
        check_names(changed, str(room.config))

    before, after = preview(room.config, new.values, check)
    diff = "".join(difflib.unified_diff(before.splitlines(True), after.splitlines(True), "config.yaml", "config.yaml"))
    written = bool(diff) and not new.try_only and set_values(room.config, new.values, check)
    if written:
        actions.record(room.store, "configuration edited", by, keys=", ".join(new.values))
    note = "a running daemon reads it at its next start" if written else ""
    return SettingsChanged(diff=redact(diff), written=written, note=note)


def must_be_allowed(key: str, value: JsonValue) -> None:
    """Raises `NotAllowed` for what is changed at the machine, and `NotPossible` for what is no setting, or a secret."""
    try:
        setting = find_key(key)
    except ValueError as problem:
        raise NotPossible(str(problem)) from None
    path = ".".join(setting.path) + "."
    covered = [each for each in _AT_THE_MACHINE if path.startswith(each) or each.startswith(path)]
    if covered or setting.is_secret:
        raise NotAllowed(f"{key} is changed at the machine only, with `config set`: it decides what may run there")
    if json.loads(json_text(value)) != value:
        raise NotPossible(f"{key} would hold a key or a password, which does not belong in the file")
