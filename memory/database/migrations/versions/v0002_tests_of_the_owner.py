"""Tests that the owner gives with a task."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for name in ("tests_file", "tests"):
        op.add_column("tasks", sa.Column(name, sa.Text, nullable=False, server_default=""))
