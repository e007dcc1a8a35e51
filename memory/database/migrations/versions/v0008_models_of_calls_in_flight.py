"""A reservation names the model that is asked, so that `status` can say which one is awaited."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("reservations", sa.Column("model", sa.Text, nullable=False, server_default=""))
