"""Issues and requests at the forge."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "forge_threads",
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("task_id", sa.Text),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("title", "author", "url", "state")),
        *(sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=False) for name in ("created_at", "updated_at")),
        sa.PrimaryKeyConstraint("place", "kind", "number", name=op.f("pk_forge_threads")),
    )
    op.create_index(op.f("ix_forge_threads_task_id"), "forge_threads", ["task_id"])
    op.create_index(op.f("ix_forge_threads_kind_status"), "forge_threads", ["kind", "status"])
