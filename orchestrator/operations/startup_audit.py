"""What the audit trail says of a start: who may do what from now on, and what of it has changed since the last one."""

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
    """Write a line for the start, and one each for a migration and for settings and limits that were changed.

    Settings appear as digests, since they are the owner's; only budget limits and the sandbox's mode by their values.
    Secrets are no part of either.
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
    # In the log as well, so that a trail that was written anew as a whole can be told from this one.
    log.info("audit trail", last=last, head=head)


def _digest(value: JsonValue) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
