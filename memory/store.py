"""`MemoryStore`: the whole database behind one class."""

from __future__ import annotations

import sqlalchemy as sa

from memory.database.database import BUSY_SECONDS, Database
from memory.database.migrate import current_revision, migrate
from memory.database.schema import SCHEMA_REVISION
from memory.errors import DatabaseCorrupt, SchemaMissing
from memory.tables.audit import AuditTable
from memory.tables.budgets import BudgetTables
from memory.tables.journal import CommandTable, EvidenceTables, JournalTables
from memory.tables.ledger import LedgerTables
from memory.tables.retention import Retention
from memory.tables.tasks import TaskTable


class MemoryStore:
    """The database, one object for each group of tables.

    `url` is `sqlite:////path/agents.db` or `postgresql://…`. Call `migrate()` once before use. Every method is one
    short transaction and may be called from any thread and several processes; a statement waits at most `busy_seconds`
    for a lock. Texts are redacted and shortened as they are stored (limits in `memory/database/schema.py`); times are
    in UTC. Raises `DatabaseUnusable` or one of its subclasses when the database itself is at fault.
    """

    def __init__(self, url: str, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self._database = database = Database(url, busy_seconds=busy_seconds)
        self.tasks = TaskTable(database)
        """Tasks and what they depend on."""
        self.evidence = EvidenceTables(database)
        """Attempts and verdicts."""
        self.ledger = LedgerTables(database)
        """Model calls, the cache of answers, and the results of model probes."""
        self.budgets = BudgetTables(database)
        """What is used and reserved of each limit, and the calls that wait for a limit."""
        self.journal = JournalTables(database)
        """Agents' memory, the activity stream, and decisions."""
        self.audit = AuditTable(database)
        """The hash chain over the activity stream."""
        self.commands = CommandTable(database)
        """Commands of other processes to the daemon."""
        self.retention = Retention(database)
        """Deletes what has passed its retention period."""

    def migrate(self) -> None:
        """Create or update the tables. Raises `SchemaTooNew` for a database of a newer program."""
        migrate(self._database)

    def check(self) -> str:
        """Check that the database is sound, and describe it in one line. Raises `DatabaseUnusable`."""
        with self._database.read() as connection:
            revision = current_revision(connection)
            if revision != SCHEMA_REVISION:
                raise SchemaMissing(
                    self._database.place,
                    f"its schema is revision {revision}, this program needs {SCHEMA_REVISION}",
                    "Run `python main.py migrate`",
                )
            if not self._database.is_sqlite:
                version = connection.execute(sa.text("SHOW server_version")).scalar_one()
                return f"PostgreSQL {version}, schema {revision}, {self._database.place}"
            problem = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
            version = connection.exec_driver_sql("SELECT sqlite_version()").scalar_one()
        if problem != "ok":
            raise DatabaseCorrupt(
                self._database.place, f"quick_check reports {problem!r}", "Stop the daemon and restore the last backup"
            )
        return f"SQLite {version}, schema {revision}, {self._database.path}"

    def close(self) -> None:
        """Close all idle connections; the store opens new ones if it is used again."""
        self._database.close()
