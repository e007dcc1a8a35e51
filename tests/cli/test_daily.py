"""The report of a day: read from the database, written once when the day is over, and sent as an alert."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from memory import FailureReason, MemoryStore, Task, TaskStatus, TaskType
from memory.database.schema import tasks
from monitoring import Alert, AlertKind
from owner.daily import as_markdown, daily_of, write_yesterday

NOW = datetime.now(UTC)


def ended(store: MemoryStore, name: str, days: int, type: TaskType = TaskType.CODE) -> None:
    """A task that was completed so many days ago."""
    assert store.tasks.add(Task(id=name, title=f"Title of {name}", type=type))
    for status in (TaskStatus.IN_PROGRESS, TaskStatus.COMPLETED):
        assert store.tasks.transition(name, status)
    moved = {"finished_at": NOW - timedelta(days=days)}
    with store._database.write() as connection:
        connection.execute(tasks.update().where(tasks.c.id == name).values(**moved))


def test_a_day_has_what_landed_what_was_decided_and_what_is_stuck(store: MemoryStore) -> None:
    ended(store, "t-today", 0)
    ended(store, "t-before", 1)
    ended(store, "t-idea", 0, TaskType.DECISION)
    store.journal.record_decision("ceo", "idea", {"task": "t-idea", "decision": "reject", "reasons": "It costs a lot."})
    assert store.tasks.add(Task(id="t-stuck", title="Stuck"))
    store.tasks.transition("t-stuck", TaskStatus.IN_PROGRESS)
    store.tasks.transition("t-stuck", TaskStatus.BLOCKED, reason=FailureReason.NEEDS_OWNER, detail="Which one?")
    assert store.tasks.add(Task(id="t-next", title="The next one"))
    found = daily_of(store, NOW.date())
    assert [row.id for row in found.landed] == ["t-today"]
    assert [row.id for row in found.done] == ["t-idea"]
    assert found.decided == ["The CEO decided: reject. It costs a lot."]
    assert (found.stuck[0].id, found.stuck[0].why) == ("t-stuck", "Which one?")
    assert found.following == ["The next one"]
    text = as_markdown(found, "nightcrew")
    assert text.startswith(f"# {NOW.date()}: 1 change landed, 1 task waiting for you, 0 tokens")
    assert "- Title of t-today (t-today, code): 0 tokens, 0.00 USD" in text
    assert '  - `nightcrew inbox answer t-stuck "…"`' in text
    assert [row.id for row in daily_of(store, NOW.date() - timedelta(days=1)).landed] == ["t-before"]


def test_a_day_that_is_over_is_written_once(store: MemoryStore, tmp_path: Path, alerts: list[Alert]) -> None:
    ended(store, "t-before", 1)
    written = write_yesterday(store, tmp_path, "nightcrew")
    assert written == tmp_path / "reports" / f"{NOW.date() - timedelta(days=1)}.md"
    assert "Title of t-before" in written.read_text(encoding="utf-8")
    assert [(alert.kind, alert.key) for alert in alerts] == [(AlertKind.REPORT, written.stem)]
    written.write_text("read", encoding="utf-8")
    assert write_yesterday(store, tmp_path, "nightcrew") is None
    assert written.read_text(encoding="utf-8") == "read"


def test_a_day_without_anything_has_no_report(store: MemoryStore, tmp_path: Path, alerts: list[Alert]) -> None:
    assert write_yesterday(store, tmp_path, "nightcrew") is None
    assert daily_of(store, date(2024, 2, 29)).is_empty
    assert not alerts
    assert not (tmp_path / "reports").exists()
