"""Whether an answer was cut off at its length limit. Earlier rows do not say."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    for table in ("model_calls", "model_cache"):
        op.add_column(table, sa.Column("truncated", sa.Boolean))
