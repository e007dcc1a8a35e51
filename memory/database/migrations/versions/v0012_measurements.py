"""What is measured of deployed versions, and how they compare."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "measurements",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("deployment", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("commit", "metric", "of")),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("outcome", "detail")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measurements")),
    )
    series = ["environment", "deployment", "metric", "of", "id"]
    op.create_index(op.f("ix_measurements_environment_deployment_metric_of_id"), "measurements", series)
    op.create_index(op.f("ix_measurements_at"), "measurements", ["at"])
    op.create_table(
        "comparisons",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("deployment", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("metric", "of")),
        sa.Column("look", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("word", "evidence")),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comparisons")),
        sa.UniqueConstraint("deployment", "metric", "of", "look", name=op.f("uq_comparisons_deployment")),
    )
