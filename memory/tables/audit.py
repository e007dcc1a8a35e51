"""The activity stream as an audit trail: every line is chained to the one before it by a hash.

The database itself refuses to change a line, and to delete one that retention has not released (see revision 0005).
Whoever switches that off still breaks the chain, unless they also rewrite all later lines and the head. To notice that,
too, compare the head with one noted elsewhere, such as in the log file.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

import sqlalchemy as sa
from pydantic import BaseModel

from memory.database.database import Database
from memory.database.schema import activity_logs, audit_chain

_ROWS_PER_FETCH = 1000


class AuditReport(BaseModel):
    """The result of a check of `lines` lines; `broken` says where the chain breaks, empty when it does not."""

    lines: int
    forgotten_to: int
    """The last line that retention deleted, 0 when all are there."""
    last: int
    head: str
    broken: str = ""


def link(previous: str, agent: str, activity: str, task_id: str | None, details: str, moment: datetime) -> str:
    """The hash of a line as it is stored, chained to the hash of the one before it; empty for the first."""
    content = [previous, agent, activity, task_id, details, moment.isoformat(timespec="microseconds")]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


class AuditTable:
    """Checks the chain of `activity_logs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def head(self) -> tuple[int, str]:
        """The last line of the trail and its hash: noted elsewhere, they show later whether the trail was rewritten."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(audit_chain.c.head_id, audit_chain.c.head_hash)).one_or_none()
        return (row.head_id, row.head_hash) if row else (0, "")

    def verify(self) -> AuditReport:
        """Follow the chain from the first line that retention kept to the head, and report the first break."""
        lines = activity_logs.c
        raw = [sa.type_coerce(column, sa.Text).label(column.name) for column in (lines.activity, lines.details)]
        query = sa.select(lines.id, lines.agent_name, lines.task_id, lines.timestamp, lines.hash, *raw)
        with self._database.read() as connection:
            start = connection.execute(sa.select(audit_chain)).mappings().one_or_none()
            if start is None:
                return AuditReport(lines=0, forgotten_to=0, last=0, head="", broken="the head of the chain is gone")
            report = AuditReport(
                lines=0, forgotten_to=start["anchor_id"], last=start["head_id"], head=start["head_hash"]
            )
            previous, last, seen = start["anchor_hash"], start["anchor_id"], start["anchor_id"] == start["head_id"]
            found = connection.execution_options(yield_per=_ROWS_PER_FETCH).execute(query.order_by(lines.id)).mappings()
            for row in found:
                if row["id"] <= start["anchor_id"]:
                    return report.model_copy(
                        update={"broken": f"line {row['id']} was deleted by retention, but is there"}
                    )
                expected = link(
                    previous, row["agent_name"], row["activity"], row["task_id"], row["details"], row["timestamp"]
                )
                if row["hash"] != expected:
                    after = f"line {last}" if last else "the beginning"
                    return report.model_copy(
                        update={"broken": f"line {row['id']} does not follow from {after}: it, or one before it, was "
                                "changed, added or removed"}
                    )  # fmt: skip
                previous, last = row["hash"], row["id"]
                report.lines += 1
                if last == start["head_id"]:
                    seen = previous == start["head_hash"]
            if not seen:
                report.broken = f"the chain ends with line {last}, but line {start['head_id']} was written"
        return report
