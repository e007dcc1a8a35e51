"""The tables. `agent_memory`, `activity_logs` and `decision_history` are the specification's, column for column.

A change here needs a migration in `migrations/versions/` and a new `SCHEMA_REVISION`; a test compares the two.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from memory.database.columns import SafeJson, SafeText, UtcDateTime
from memory.task_models import TaskStatus
from monitoring.errors import FailureReason

SCHEMA_REVISION = "0012"
"""The newest migration; revisions are numbered, so a greater one comes from a newer program."""

# Limits in characters. Longer texts are cut in the middle, longer JSON is refused.
TITLE_LIMIT = 300
REASON_LIMIT = 4_000
EVIDENCE_LIMIT = 16_000
DESCRIPTION_LIMIT = 64_000
PROMPT_LIMIT = 64_000
DETAILS_LIMIT = 16_000
JSON_LIMIT = 64_000
CONVERSATION_LIMIT = 4_000_000

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

_BIG = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER PRIMARY KEY numbers itself on SQLite


def _one_of(words: type[StrEnum]) -> Enum:
    """A value of the enum `words`, stored as text: a new value needs no migration."""
    return Enum(words, native_enum=False, length=32, values_callable=lambda kind: [word.value for word in kind])


tasks = Table(
    "tasks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("title", SafeText(TITLE_LIMIT), nullable=False),
    Column("description", SafeText(DESCRIPTION_LIMIT), nullable=False),
    Column("type", String(32), nullable=False),
    Column("kind", Text, nullable=False, server_default=""),
    Column("priority", Integer, nullable=False),
    Column("deadline", UtcDateTime),
    Column("assigned_agents", SafeJson("the list of assigned agents", JSON_LIMIT), nullable=False),
    Column("parent_id", ForeignKey("tasks.id")),
    Column("status", _one_of(TaskStatus), nullable=False),
    Column("reason", _one_of(FailureReason)),
    Column("reason_detail", SafeText(REASON_LIMIT), nullable=False),
    Column("stage", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("run", Integer, nullable=False),
    Column("tests_file", Text, nullable=False, server_default=""),
    Column("tests", SafeText(None), nullable=False, server_default=""),
    Column("result", SafeJson("the result of a task", CONVERSATION_LIMIT), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    CheckConstraint("status <> 'failed' OR reason IS NOT NULL", name="failed_has_a_reason"),
    Index(None, "status", "created_at"),
    Index(None, "created_at"),
    Index(None, "parent_id"),
)

task_dependencies = Table(
    "task_dependencies",
    metadata,
    Column("task_id", ForeignKey("tasks.id"), primary_key=True),
    Column("depends_on_id", ForeignKey("tasks.id"), primary_key=True),
    Index(None, "depends_on_id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("task_id", ForeignKey("tasks.id"), nullable=False),
    Column("run", Integer, nullable=False),
    Column("stage", Text, nullable=False),
    Column("approach", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("strategy", SafeText(REASON_LIMIT), nullable=False),
    Column("outcome", Text, nullable=False),
    Column("answer_hash", Text, nullable=False),
    Column("tree", Text, nullable=False),
    Column("tests_passed", Integer, nullable=False),
    Column("tests_failed", Integer, nullable=False),
    Column("evidence", SafeText(EVIDENCE_LIMIT), nullable=False),
    Column("seconds", Float, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("task_id", "run", "stage", "approach", "number"),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("task_id", ForeignKey("tasks.id"), nullable=False),
    Column("run", Integer, nullable=False),
    Column("stage", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("approved", Boolean, nullable=False),
    Column("score", Float, nullable=False),
    Column("criteria", SafeJson("the criteria of a verdict", JSON_LIMIT), nullable=False),
    Column("issues", SafeJson("the issues of a verdict", JSON_LIMIT), nullable=False),
    Column("reasoning", SafeText(EVIDENCE_LIMIT), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("task_id", "run", "stage", "agent", "number"),
)

conversations = Table(
    "conversations",
    metadata,
    Column("task_id", ForeignKey("tasks.id"), primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("agent", Text, primary_key=True),
    Column("turns", SafeJson("a conversation", CONVERSATION_LIMIT), nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

model_calls = Table(
    "model_calls",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("workflow_id", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("request_hash", Text, nullable=False),
    Column("task_id", Text),  # no foreign key: the ledger outlives the tasks it paid for
    Column("agent", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("prompt_hash", Text, nullable=False),
    Column("prompt", SafeText(PROMPT_LIMIT), nullable=False),
    Column("response", SafeText(None), nullable=False),  # never cut: it is replayed; max_tokens bounds it
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("cached_tokens", Integer, nullable=False),
    Column("cost_usd", Float),
    Column("cached", Boolean, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("truncated", Boolean),
    Index(None, "task_id"),
    Index(None, "created_at"),
)

# One usable answer a request. Failed calls cost money too and may be many, so they stand outside.
Index(
    "uq_model_calls_answer",
    model_calls.c.workflow_id,
    model_calls.c.step,
    model_calls.c.request_hash,
    unique=True,
    sqlite_where=text(
        "outcome = 'ok'"
    ),  # on PostgreSQL, too; to say so here would import its dialect for every command
)

model_cache = Table(
    "model_cache",
    metadata,
    Column("request_hash", Text, primary_key=True),
    Column("response", SafeText(None), nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("cached_tokens", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("truncated", Boolean),
    Index(None, "created_at"),
)

model_probes = Table(
    "model_probes",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("tools", Boolean, nullable=False),
    Column("structured", Boolean, nullable=False),
    Column("edit_blocks", Boolean, nullable=False),
    Column("repairs", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

# Amounts are whole numbers, money in billionths of a dollar. `told_…`: the limit whose four fifths were reported.
budgets = Table(
    "budgets",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("tokens", BigInteger, nullable=False),
    Column("nano_usd", BigInteger, nullable=False),
    Column("reserved_tokens", BigInteger, nullable=False),
    Column("reserved_nano_usd", BigInteger, nullable=False),
    Column("told_tokens", BigInteger, nullable=False),
    Column("told_nano_usd", BigInteger, nullable=False),
)

reservations = Table(
    "reservations",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("task_id", Text),
    Column("agent", Text, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("nano_usd", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("model", Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,  # one settled as a leftover must not be taken for a new one
)

waiting_calls = Table(
    "waiting_calls",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("agent", Text, nullable=False),
    Column("task_id", Text),
    Column("kind", Text, nullable=False),
    Column("reason", SafeText(REASON_LIMIT), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime),
    sqlite_autoincrement=True,
)

agent_memory = Table(
    "agent_memory",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("agent_name", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", SafeJson("a memory", JSON_LIMIT), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("agent_name", "key"),
)

activity_logs = Table(
    "activity_logs",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("agent_name", Text, nullable=False),
    Column("activity", SafeText(TITLE_LIMIT), nullable=False),
    Column("task_id", Text),
    Column("details", SafeJson("the details of an activity", DETAILS_LIMIT), nullable=False),
    Column("timestamp", UtcDateTime, nullable=False),
    Column("hash", Text, nullable=False, server_default=""),  # of this line and the one before it, see tables/audit.py
    Index(None, "task_id"),
    sqlite_autoincrement=True,  # ids are the readers' cursor and must not be reused after a clean-up
)

# One row: the last line that retention deleted and the last line written. Triggers let both move forward only.
audit_chain = Table(
    "audit_chain",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("anchor_id", BigInteger, nullable=False),
    Column("anchor_hash", Text, nullable=False),
    Column("head_id", BigInteger, nullable=False),
    Column("head_hash", Text, nullable=False),
)

decision_history = Table(
    "decision_history",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("agent_name", Text, nullable=False),
    Column("decision_type", Text, nullable=False),
    Column("decision_data", SafeJson("the data of a decision", JSON_LIMIT), nullable=False),
    Column("timestamp", UtcDateTime, nullable=False),
)

control = Table(
    "control",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("command", Text, nullable=False),
    Column("argument", SafeText(REASON_LIMIT), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

people = Table(
    "people",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("password", Text, nullable=False),  # its argon2 hash
    Column("active", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("name"),
    sqlite_autoincrement=True,
)

# Sessions, keys of programs and links that sign in once. `digest` is SHA-256 of a random secret, which nobody stores.
access = Table(
    "access",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("person_id", ForeignKey("people.id"), nullable=False),
    Column("digest", Text, nullable=False),
    Column("label", SafeText(TITLE_LIMIT), nullable=False),
    Column("scopes", SafeJson("the scopes of a key", JSON_LIMIT), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    UniqueConstraint("digest"),
    sqlite_autoincrement=True,
)

deployments = Table(
    "deployments",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("commit", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("task_id", Text),  # no foreign key: what was live is remembered longer than the task
    Column("owner", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("goes_back_to", BigInteger),
    Column("artifact", SafeJson("the artifact of a deployment", JSON_LIMIT), nullable=False),
    Column("detail", SafeText(EVIDENCE_LIMIT), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    UniqueConstraint("owner"),
    Index(None, "environment", "status"),
    Index(None, "task_id"),
    sqlite_autoincrement=True,  # numbers are in the names of releases on hosts
)

# Who deploys to an environment at this moment. What has expired counts for nothing.
deployment_locks = Table(
    "deployment_locks",
    metadata,
    Column("environment", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

# What was measured of what is live: one row a look and series, which is named by what is measured and of what.
measurements = Table(
    "measurements",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("deployment", BigInteger, nullable=False),
    Column("commit", Text, nullable=False),
    Column("metric", Text, nullable=False),
    Column("of", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("value", Float, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("detail", SafeText(TITLE_LIMIT), nullable=False),
    Index(None, "environment", "deployment", "metric", "of", "id"),
    Index(None, "at"),
)

# How a version compared with the one before, at one look.
comparisons = Table(
    "comparisons",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("environment", Text, nullable=False),
    Column("deployment", BigInteger, nullable=False),
    Column("metric", Text, nullable=False),
    Column("of", Text, nullable=False),
    Column("look", Integer, nullable=False),
    Column("word", Text, nullable=False),
    Column("evidence", SafeJson("the evidence of a comparison", JSON_LIMIT), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    UniqueConstraint("deployment", "metric", "of", "look"),
)

# Issues and requests at the forge. No foreign key: an issue is known before its task is made.
forge_threads = Table(
    "forge_threads",
    metadata,
    Column("place", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("status", Text, nullable=False),
    Column("task_id", Text),
    Column("title", SafeText(TITLE_LIMIT), nullable=False),
    Column("author", SafeText(TITLE_LIMIT), nullable=False),
    Column("url", SafeText(TITLE_LIMIT), nullable=False),
    Column("state", SafeJson("what is known of an issue or a request", JSON_LIMIT), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index(None, "task_id"),
    Index(None, "kind", "status"),
)
