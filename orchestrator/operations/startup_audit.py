"""The audit record of a start: the settings and limits that apply, and which have changed since the last start."""

from __future__ import annotations

import hashlib
import json

from pydantic import JsonValue

from config import Settings
from memory import SCHEMA_REVISION, MemoryStore
from monitoring import get_logger

log = get_logger(__name__)

_AGENT, _KEY = "orchestrator", "last start"


def note_start(store: MemoryStore, settings: Settings) -> None:
    """Write a line for the start, and one each for a migration and for changed settings and limits.

    Settings are recorded as digests, because they are the owner's; only budget limits and the sandbox mode are recorded
    by value. Secrets are in neither.
    """
    values: dict[str, JsonValue] = json.loads(settings.model_dump_json())
    sections: dict[str, JsonValue] = {name: _digest(section) for name, section in values.items()}
    now: dict[str, JsonValue] = {
        "schema": SCHEMA_REVISION,
        "sections": sections,
        "budget": values["budget"],
        "sandbox": settings.sandbox.mode,
    }
    before = store.journal.recall(_AGENT, _KEY)
    known = before if isinstance(before, dict) else {}
    old = known.get("sections")
    changed = [name for name in sections if isinstance(old, dict) and old.get(name) != sections[name]]
    for key, act in (("schema", "migrated"), ("budget", "budget limits changed"), ("sandbox", "sandbox mode changed")):
        if known and known.get(key) != now[key]:
            store.journal.log(_AGENT, act, before=known.get(key), after=now[key])
    if changed:
        store.journal.log(_AGENT, "settings changed", sections=[*changed])
    store.journal.log(_AGENT, "started", settings=_digest(values), schema=SCHEMA_REVISION)
    store.journal.remember(_AGENT, _KEY, now)
    last, head = store.audit.head()
    # Also in the log, so that a trail that was rewritten as a whole can be distinguished from this one.
    log.info("audit trail", last=last, head=head)


def _digest(value: JsonValue) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
