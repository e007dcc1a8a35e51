"""Deployments, and who deploys to an environment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "deployments",
        sa.Column("id", _BIG, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("environment", "target", "kind", "commit", "status")),
        sa.Column("task_id", sa.Text),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("owner", "by")),
        sa.Column("goes_back_to", sa.BigInteger),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("artifact", "detail")),
        *(sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=False) for name in ("created_at", "updated_at")),
        sa.Column("finished_at", sa.TIMESTAMP(timezone=True)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
        sa.UniqueConstraint("owner", name=op.f("uq_deployments_owner")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_deployments_environment_status"), "deployments", ["environment", "status"])
    op.create_index(op.f("ix_deployments_task_id"), "deployments", ["task_id"])
    op.create_table(
        "deployment_locks",
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("environment", name=op.f("pk_deployment_locks")),
    )
