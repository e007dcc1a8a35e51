"""What models that were not known managed when they were tried out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "model_probes",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("provider", "address", "model")),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in ("tools", "structured", "edit_blocks", "repairs")),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", "address", "model", name=op.f("pk_model_probes")),
    )
