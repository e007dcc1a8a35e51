"""The conversations of agents with tools, which a later stage of their task continues; and the kind of a task."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("task_id", sa.Text, nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("agent", "turns")),
        sa.Column("updated_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_conversations_task_id")),
        sa.PrimaryKeyConstraint("task_id", "run", "agent", name=op.f("pk_conversations")),
    )
    op.add_column("tasks", sa.Column("kind", sa.Text, nullable=False, server_default=""))
