"""`MemoryStore`: the whole database behind one class, and what is deleted in all of its tables."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from config import caller
from memory.database.database import BUSY_SECONDS, Database
from memory.database.migrate import current_revision, migrate
from memory.database.schema import (
    SCHEMA_REVISION,
    activity_logs,
    attempts,
    audit_chain,
    conversations,
    model_calls,
    tasks,
)
from memory.database.sqlite_files import compact
from memory.errors import DatabaseCorrupt, SchemaMissing
from memory.tables.audit import AuditTable
from memory.tables.browse import BrowseTables
from memory.tables.budgets import BudgetTables
from memory.tables.deployments import DeploymentTables
from memory.tables.forge import ForgeTable
from memory.tables.journal import CommandTable, EvidenceTables, JournalTables, lock_activity
from memory.tables.ledger import LedgerTables
from memory.tables.measurements import MeasurementTables
from memory.tables.pauses import PausedAgents
from memory.tables.people import PeopleTables
from memory.tables.strategy import StrategyTable
from memory.tables.tasks import ENDED, TaskTable
from memory.tables.words import OwnersWordsTable


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
        self.paused = PausedAgents(self.journal)
        """Agents that the owner holds back."""
        self.strategy = StrategyTable(self.journal)
        """What the CEO goes by."""
        self.words = OwnersWordsTable(self.journal)
        """What the owner told agents."""
        self.people = PeopleTables(database)
        """Who may use the control room."""
        self.deployments = DeploymentTables(database)
        """What was deployed where, and what is live."""
        self.measurements = MeasurementTables(database)
        """What was measured of what is live, and how versions compare."""
        self.forge = ForgeTable(database)
        """Issues and requests at the forge."""
        self.browse = BrowseTables(database)
        """Pages of long lists, and sums over them."""
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
                    f"Run `{caller()} migrate`",
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

    def state(self) -> str:
        """Something that is different once anybody has committed a change; see `Database.state`."""
        return self._database.state()

    def close(self) -> None:
        """Close all idle connections; the store opens new ones if it is used again."""
        self._database.close()


class Retention:
    """Deletes old texts that nothing needs any more; each method may be called again at any time. Figures, tasks,
    decisions and lessons stay.

    An open task keeps everything, however old: its answers are replayed, its activity and evidence are read.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def forget_answers(self, before: datetime) -> int:
        """Empty prompt and response of older model calls; gives how many. Tokens, costs and hashes stay."""
        calls = model_calls.c
        old = sa.and_(calls.created_at < before, sa.or_(calls.prompt != "", calls.response != ""))
        free = sa.or_(calls.task_id.is_(None), calls.task_id.not_in(_open_tasks()))
        with self._database.write() as connection:
            return connection.execute(model_calls.update().where(old, free).values(prompt="", response="")).rowcount

    def forget_activity(self, before: datetime) -> int:
        """Delete older lines of the activity stream, up to the first that an open task needs; gives how many.

        Only the beginning can be deleted, because the lines are chained; where it was cut is kept for `verify`.
        """
        lines = activity_logs.c
        kept = sa.or_(lines.timestamp >= before, lines.task_id.in_(_open_tasks()))
        with self._database.write() as connection:
            lock_activity(self._database, connection)
            first_kept = connection.execute(sa.select(sa.func.min(lines.id)).where(kept)).scalar()
            going = sa.true() if first_kept is None else lines.id < first_kept
            last = connection.execute(
                sa.select(lines.id, lines.hash).where(going).order_by(lines.id.desc()).limit(1)
            ).one_or_none()
            if last is None:
                return 0
            connection.execute(audit_chain.update().values(anchor_id=last.id, anchor_hash=last.hash))
            return connection.execute(activity_logs.delete().where(lines.id <= last.id)).rowcount

    def forget_evidence(self, before: datetime) -> int:
        """Empty the test output of older attempts; gives how many. Outcome and counts stay, conversations do not."""
        talks = conversations.c
        over = sa.and_(talks.updated_at < before, talks.task_id.not_in(_open_tasks()))
        old = sa.and_(attempts.c.created_at < before, attempts.c.evidence != "")
        free = attempts.c.task_id.not_in(_open_tasks())
        with self._database.write() as connection:
            connection.execute(conversations.delete().where(over))
            return connection.execute(attempts.update().where(old, free).values(evidence="")).rowcount

    def ended_before(self, moment: datetime) -> list[str]:
        """Ids of the tasks that ended before `moment`."""
        query = sa.select(tasks.c.id).where(tasks.c.status.in_(ENDED), tasks.c.finished_at < moment)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def open_tasks(self) -> set[str]:
        """Ids of all tasks that have not ended."""
        with self._database.read() as connection:
            return {task_id for (task_id,) in connection.execute(_open_tasks())}

    def compact(self) -> int:
        """Shrink the SQLite file when much of it is empty; gives the bytes freed. PostgreSQL does this by itself."""
        return compact(self._database.path) if self._database.path is not None else 0


def _open_tasks() -> sa.Select[str]:
    return sa.select(tasks.c.id).where(tasks.c.status.not_in(ENDED))
