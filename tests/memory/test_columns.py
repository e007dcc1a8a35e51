"""Whatever is written, the database holds no secret, nothing above its limit, and nothing it cannot give back."""

from __future__ import annotations

from datetime import datetime

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory import (
    Attempt,
    ContextManager,
    Criterion,
    FailureReason,
    MemoryStore,
    ModelCall,
    StoredResponse,
    Task,
    TaskStatus,
    Verdict,
)
from memory.database.columns import shortened
from memory.database.schema import metadata
from monitoring import register_secret

KNOWN = "correct-horse-battery"
SECRETS = [KNOWN, "sk-proj-abcdefghijklmnop1234", "ghp_" + "a1" * 15, "hunter2hunter2"]
TEXT = (
    f"key {SECRETS[0]} and {SECRETS[1]}; push to https://bot:{SECRETS[2]}@github.com/x/y.git with password={SECRETS[3]}"
)


def write_everywhere(store: MemoryStore, text: str) -> None:
    """`text` into every column that takes free text."""
    store.tasks.add(Task(id="t-1", title=text, description=text, assigned_agents=[text], result={"a": [text]}))
    store.tasks.transition("t-1", TaskStatus.FAILED, reason=FailureReason.TIMEOUT, detail=text)
    store.evidence.record_attempt(
        Attempt(task_id="t-1", run=0, stage="s", approach=1, number=1, strategy=text, outcome="failed", evidence=text)
    )
    criteria = [Criterion(name=text, threshold=1, weight=1)]
    store.evidence.record_verdict(
        Verdict(
            task_id="t-1",
            run=0,
            stage="s",
            agent="a",
            number=1,
            approved=False,
            score=1,
            criteria=criteria,
            issues=[text],
            reasoning=text,
        )
    )
    store.ledger.record_call(
        ModelCall(
            workflow_id="w",
            step="s",
            request_hash="h",
            task_id="t-1",
            agent="a",
            provider="p",
            model="m",
            prompt_hash="h",
            prompt=text,
            response=text,
        )
    )
    store.ledger.store_response("h", StoredResponse(response=text, provider="p", model="m"))
    store.journal.remember("a", "k", {"deep": [{"text": text}], text: 1})
    store.journal.log("a", text, None, text=text, password=SECRETS[3])
    store.journal.record_decision("a", "t", {"text": text})
    store.commands.send("c", text)
    ContextManager(store).add_lesson(text, "t-1", text.split())


def everything(url: str) -> str:
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        rows = [connection.execute(sa.text(f"SELECT * FROM {table}")).all() for table in metadata.tables]
    engine.dispose()
    assert all(rows[: -len(metadata.tables)])
    return repr(rows)


def test_no_secret_reaches_the_database(store: MemoryStore, url: str) -> None:
    register_secret(KNOWN)
    write_everywhere(store, TEXT)
    content = everything(url)
    assert [secret for secret in SECRETS if secret in content] == []
    assert content.count("[redacted]") > 50
    assert "github.com/x/y.git" in content  # what is not secret stays


def test_every_text_is_bounded(store: MemoryStore, url: str) -> None:
    store.tasks.add(Task(id="t-1", title="t" * 5000, description="d" * 500_000))
    task = store.tasks.get("t-1")
    assert len(task.title) == 300 and task.title.endswith("…")
    assert len(task.description) <= 64_000 and "characters cut …]" in task.description
    store.tasks.transition("t-1", TaskStatus.BLOCKED, detail="r" * 100_000)
    assert len(store.tasks.get("t-1").reason_detail) <= 4_000
    attempt = Attempt(task_id="t-1", run=0, stage="s", approach=1, number=1, outcome="failed", evidence="e" * 900_000)
    store.evidence.record_attempt(attempt)
    assert len(store.evidence.attempts("t-1")[0].evidence) <= 16_000


@settings(max_examples=60)
@given(text=st.text(max_size=3000), limit=st.integers(2, 2500))
def test_a_shortened_text_keeps_its_head_and_tells_what_was_cut(text: str, limit: int) -> None:
    short = shortened(text, limit)
    assert len(short) <= limit
    if len(text) <= limit:
        assert short == text
    elif limit < 400:
        assert short == text[: limit - 1] + "…"
    else:
        head, _, rest = short.partition("\n[… ")
        number, _, tail = rest.partition(" characters cut …]\n")
        assert text.startswith(head) and text.endswith(tail)
        assert len(head) + len(tail) + int(number) == len(text)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet=st.characters(exclude_categories=[]), max_size=60))
def test_any_text_can_be_stored_and_is_kept_up_to_what_no_database_holds(store: MemoryStore, text: str) -> None:
    task_id = f"t-{abs(hash(text))}"
    store.tasks.add(Task(id=task_id, title="t", description=text, result={"text": text, "not a number": float("nan")}))
    task = store.tasks.get(task_id)
    expected = "".join("?" if "\ud800" <= one <= "\udfff" else one for one in text).replace(
        "\0", "\N{REPLACEMENT CHARACTER}"
    )
    assert task.description == expected
    assert task.result == {"text": expected, "not a number": None}


def test_a_moment_without_timezone_is_refused(store: MemoryStore) -> None:
    with pytest.raises(sa.exc.StatementError, match="no timezone"):
        store.tasks.ready(now=datetime(2026, 1, 1))
