"""The pages about the project: what has landed and how good its tests are, and the settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, JsonValue, ValidationError

from api.access import AnAdmin, AViewer, Form
from api.errors import NotAllowed
from api.look import page
from api.pages import redirect
from api.room import Room, TheRoom
from api.settings import SettingsChange, change_settings, must_be_allowed, settings_of
from config import ConfigError, Settings
from config.editing import find_key
from git_ops import GitError
from memory import SuiteQuality, Task, TaskStatus, TaskType
from owner.errors import NotPossible
from owner.forge_runner import forge_now
from owner.words import count

router = APIRouter(include_in_schema=False)

_LANDED = 100


@dataclass
class Setting:
    """A setting as it is drawn."""

    key: str
    told: str
    value: str
    editable: bool


@dataclass
class Landed:
    """A task whose change is in the repository."""

    task: Task
    commits: list[str]
    pushed: str
    """Empty when it is; else why not."""
    quality: SuiteQuality | None


@router.get("/repository")
def repository(request: Request, room: TheRoom, _: AViewer) -> Response:
    """What the team has landed, what of it is not pushed, and what its tests are worth."""
    done = room.store.tasks.select([TaskStatus.COMPLETED], type=TaskType.CODE, limit=_LANDED)
    landed = [_landed(task) for task in done if task.result.get("landed_commits")]
    measured = [each.quality for each in landed if each.quality and each.quality.mutants]
    values = {
        "landed": landed,
        "killed": sum(each.killed for each in measured),
        "mutants": sum(each.mutants for each in measured),
        "state": _state(room),
        "forge": forge_now(room.store, room.settings),
        "live": True,
    }
    return page(request, "repository.html", values)


@router.get("/settings")
def settings(request: Request, room: TheRoom, _: AViewer) -> Response:
    """The configuration that counts; `?edit=KEY` has the form for one value."""
    return _settings(request, room, request.query_params.get("edit", ""))


@router.post("/settings")
def change(request: Request, room: TheRoom, visitor: AnAdmin, form: Form) -> Response:
    """Show what a value would change in the file (`try`), or change it."""
    key, text = form.get("key", ""), form.get("value", "")
    try:
        value = find_key(key).typed(text.strip().replace("\r\n", "\n"))
        new = SettingsChange.model_validate({"values": {key: value}, "try_only": form.get("really") != "yes"})
        changed = change_settings(room, new, visitor.name)
    except (ConfigError, NotPossible, NotAllowed, ValidationError, ValueError) as wrong:
        told = "; ".join(map(str, wrong.problems)) if isinstance(wrong, ConfigError) else str(wrong)
        return _settings(request, room, key, text=text, problem=told, status=422)
    if changed.written:
        return redirect("/settings", "saved")
    return _settings(request, room, key, text=text, diff=changed.diff, same=not changed.diff)


def _settings(
    request: Request, room: Room, key: str, *, text: str | None = None, problem: str = "", diff: str = "",
    same: bool = False, status: int = 200,
) -> Response:  # fmt: skip
    found = {name: list(_rows(name, Settings.model_fields[name].annotation, value))
             for name, value in settings_of(room).items() if name in Settings.model_fields}  # fmt: skip
    editing = next((row for rows in found.values() for row in rows if row.key == key and row.editable), None)
    values = {
        "sections": found,
        "file": room.config,
        "editing": editing,
        "text": text if text is not None else editing.value if editing else "",
        "problem": problem,
        "diff": diff.splitlines(),
        "same": same,
    }
    return page(request, "settings.html", values, status=status)


def _rows(key: str, kind: object, value: JsonValue) -> Iterator[Setting]:
    """The single values of a section, and of those within it."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(value, dict)):
        return
    for name, field in kind.model_fields.items():
        inner = f"{key}.{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _rows(inner, field.annotation, value.get(name))
        else:
            yield Setting(inner, field.description or "", _text(value.get(name)), _editable(inner, value.get(name)))


def _editable(key: str, value: JsonValue) -> bool:
    try:
        must_be_allowed(key, None)
    except (NotAllowed, NotPossible):
        return False
    return not isinstance(value, dict)


def _text(value: JsonValue) -> str:
    """As it is written in YAML; texts without quotes, and nothing for what is not set."""
    if value is None or isinstance(value, str):
        return value or ""
    return yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6).removesuffix("...\n").strip()


def _landed(task: Task) -> Landed:
    commits, quality = task.result.get("landed_commits"), task.result.get("quality")
    return Landed(
        task=task,
        commits=[str(each) for each in commits] if isinstance(commits, list) else [],
        pushed="" if task.result.get("pushed") else str(task.result.get("push_error") or "not yet"),
        quality=SuiteQuality.model_validate(quality) if isinstance(quality, dict) else None,
    )


def _state(room: Room) -> dict[str, str]:
    """Where work lands, and how far that is ahead of the owner's branch."""
    chosen = room.settings.git
    if not (room.paths.clone / ".git").exists() and not (room.paths.clone / "HEAD").exists():
        return {"Landing branch": "the repository is not cloned yet"}
    try:
        git = room.git
        ahead = git.repository.commits_between(git.repository.base_tip(), git.branch.tip())
    except GitError as problem:
        return {"Landing branch": str(problem)}
    return {
        "Landing branch": git.branch.name(),
        f"Not yet in {chosen.branch}": count(len(ahead), "commit"),
    }
