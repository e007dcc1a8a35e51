"""Budgets with what is used and reserved, and the calls that wait. What was used before is not counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_AMOUNTS = ("tokens", "nano_usd", "reserved_tokens", "reserved_nano_usd", "told_tokens", "told_nano_usd")


def upgrade() -> None:
    op.create_table(
        "budgets",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("scope", "subject")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _AMOUNTS),
        sa.PrimaryKeyConstraint("scope", "subject", name=op.f("pk_budgets")),
    )
    op.create_table(
        "reservations",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("task_id", sa.Text),
        sa.Column("agent", sa.Text, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("tokens", "nano_usd")),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservations")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "waiting_calls",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("task_id", sa.Text),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "reason")),
        sa.Column("since", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("until", sa.TIMESTAMP(timezone=True)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting_calls")),
        sqlite_autoincrement=True,
    )
