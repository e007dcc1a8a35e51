"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_MOMENT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    _tasks()
    _evidence()
    _ledger()
    _memory()


def _tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("deadline", _MOMENT),
        sa.Column("assigned_agents", sa.Text, nullable=False),
        sa.Column("parent_id", sa.Text),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("reason", sa.String(32)),
        sa.Column("reason_detail", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT),
        sa.Column("started_at", _MOMENT),
        sa.Column("finished_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
        sa.ForeignKeyConstraint(["parent_id"], ["tasks.id"], name="fk_tasks_parent_id"),
        sa.CheckConstraint("status <> 'failed' OR reason IS NOT NULL", name=op.f("ck_tasks_failed_has_a_reason")),
    )
    op.create_index("ix_tasks_status_created_at", "tasks", ["status", "created_at"])
    op.create_index("ix_tasks_created_at", "tasks", ["created_at"])
    op.create_index("ix_tasks_parent_id", "tasks", ["parent_id"])
    op.create_table(
        "task_dependencies",
        sa.Column("task_id", sa.Text, nullable=False),
        sa.Column("depends_on_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("task_id", "depends_on_id", name="pk_task_dependencies"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_task_dependencies_task_id"),
        sa.ForeignKeyConstraint(["depends_on_id"], ["tasks.id"], name="fk_task_dependencies_depends_on_id"),
    )
    op.create_index("ix_task_dependencies_depends_on_id", "task_dependencies", ["depends_on_id"])


def _evidence() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("task_id", sa.Text, nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("approach", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("strategy", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("answer_hash", sa.Text, nullable=False),
        sa.Column("tree", sa.Text, nullable=False),
        sa.Column("tests_passed", sa.Integer, nullable=False),
        sa.Column("tests_failed", sa.Integer, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_attempts_task_id"),
        sa.UniqueConstraint("task_id", "run", "stage", "approach", "number", name="uq_attempts_task_id"),
    )
    op.create_table(
        "verdicts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("task_id", sa.Text, nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("approved", sa.Boolean, nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("criteria", sa.Text, nullable=False),
        sa.Column("issues", sa.Text, nullable=False),
        sa.Column("reasoning", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_verdicts"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_verdicts_task_id"),
        sa.UniqueConstraint("task_id", "run", "stage", "agent", "number", name="uq_verdicts_task_id"),
    )


def _ledger() -> None:
    op.create_table(
        "model_calls",
        sa.Column("id", _ID, nullable=False),
        sa.Column("workflow_id", sa.Text, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("request_hash", sa.Text, nullable=False),
        sa.Column("task_id", sa.Text),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("prompt_hash", sa.Text, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("response", sa.Text, nullable=False),
        sa.Column("input_tokens", sa.Integer, nullable=False),
        sa.Column("output_tokens", sa.Integer, nullable=False),
        sa.Column("cached_tokens", sa.Integer, nullable=False),
        sa.Column("cost_usd", sa.Float),
        sa.Column("cached", sa.Boolean, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_model_calls"),
    )
    op.create_index("ix_model_calls_task_id", "model_calls", ["task_id"])
    op.create_index("ix_model_calls_created_at", "model_calls", ["created_at"])
    op.create_index(
        "uq_model_calls_answer",
        "model_calls",
        ["workflow_id", "step", "request_hash"],
        unique=True,
        sqlite_where=sa.text("outcome = 'ok'"),
        postgresql_where=sa.text("outcome = 'ok'"),
    )
    op.create_table(
        "model_cache",
        sa.Column("request_hash", sa.Text, nullable=False),
        sa.Column("response", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("input_tokens", sa.Integer, nullable=False),
        sa.Column("output_tokens", sa.Integer, nullable=False),
        sa.Column("cached_tokens", sa.Integer, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("request_hash", name="pk_model_cache"),
    )
    op.create_index("ix_model_cache_created_at", "model_cache", ["created_at"])


def _memory() -> None:
    op.create_table(
        "agent_memory",
        sa.Column("id", _ID, nullable=False),
        sa.Column("agent_name", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_agent_memory"),
        sa.UniqueConstraint("agent_name", "key", name="uq_agent_memory_agent_name"),
    )
    op.create_table(
        "activity_logs",
        sa.Column("id", _ID, nullable=False),
        sa.Column("agent_name", sa.Text, nullable=False),
        sa.Column("activity", sa.Text, nullable=False),
        sa.Column("task_id", sa.Text),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("timestamp", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_activity_logs"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_activity_logs_task_id", "activity_logs", ["task_id"])
    op.create_table(
        "decision_history",
        sa.Column("id", _ID, nullable=False),
        sa.Column("agent_name", sa.Text, nullable=False),
        sa.Column("decision_type", sa.Text, nullable=False),
        sa.Column("decision_data", sa.Text, nullable=False),
        sa.Column("timestamp", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_decision_history"),
    )
    op.create_table(
        "control",
        sa.Column("id", _ID, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("argument", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_control"),
    )
