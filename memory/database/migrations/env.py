"""What Alembic runs. `migrate.py` passes its connection, with the lock held and the transaction open."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
