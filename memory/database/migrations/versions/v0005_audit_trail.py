"""The activity stream becomes an audit trail: its lines are chained by hashes, and the database keeps them as they are.

SQLite's REPLACE deletes without the triggers of DELETE, hence a trigger for ids that are there already.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_AT_ONCE = 1000
_FORBIDDEN_SQLITE = {
    "activity_logs_keep_lines": "BEFORE UPDATE ON activity_logs",
    "activity_logs_keep_order": "BEFORE INSERT ON activity_logs WHEN NEW.hash = '' "
    "OR EXISTS (SELECT 1 FROM activity_logs WHERE id = NEW.id)",
    "activity_logs_keep_all": "BEFORE DELETE ON activity_logs WHEN OLD.id > (SELECT max(anchor_id) FROM audit_chain)",
    "audit_chain_one_row": "BEFORE INSERT ON audit_chain WHEN EXISTS (SELECT 1 FROM audit_chain)",
    "audit_chain_keep": "BEFORE DELETE ON audit_chain",
    "audit_chain_forward": "BEFORE UPDATE ON audit_chain WHEN NEW.id <> OLD.id OR NEW.anchor_id < OLD.anchor_id "
    "OR NEW.head_id < OLD.head_id OR NEW.anchor_id > NEW.head_id",
}
_FUNCTIONS_POSTGRESQL = {
    "activity_logs_guard": """
        IF TG_OP = 'INSERT' AND NEW.hash <> '' THEN RETURN NEW; END IF;
        IF TG_OP = 'DELETE' AND OLD.id <= (SELECT max(anchor_id) FROM audit_chain) THEN RETURN OLD; END IF;
        RAISE EXCEPTION 'activity_logs is append-only';""",
    "audit_chain_guard": """
        IF TG_OP = 'INSERT' AND NOT EXISTS (SELECT 1 FROM audit_chain) THEN RETURN NEW; END IF;
        IF TG_OP = 'UPDATE' AND NEW.id = OLD.id AND NEW.anchor_id >= OLD.anchor_id AND NEW.head_id >= OLD.head_id
            AND NEW.anchor_id <= NEW.head_id THEN RETURN NEW; END IF;
        RAISE EXCEPTION 'audit_chain only moves forward';""",
}


def upgrade() -> None:
    op.add_column("activity_logs", sa.Column("hash", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "audit_chain",
        sa.Column("id", sa.Integer, nullable=False),
        *(
            sa.Column(name, kind, nullable=False)
            for which in ("anchor", "head")
            for name, kind in ((f"{which}_id", sa.BigInteger), (f"{which}_hash", sa.Text))
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_chain")),
    )
    last, digest = _chain()
    op.get_bind().execute(
        sa.text("INSERT INTO audit_chain VALUES (1, 0, '', :last, :digest)"), {"last": last, "digest": digest}
    )
    if op.get_bind().dialect.name == "sqlite":
        for name, when in _FORBIDDEN_SQLITE.items():
            said = "activity_logs is append-only" if "activity" in name else "audit_chain only moves forward"
            op.execute(f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, '{said}'); END")
        return
    for name, body in _FUNCTIONS_POSTGRESQL.items():
        table = name.removesuffix("_guard")
        op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$")
        op.execute(
            f"CREATE TRIGGER {name} BEFORE INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
        )
        op.execute(
            f"CREATE TRIGGER {name}_whole BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        )


def _chain() -> tuple[int, str]:
    """Chain the lines that are there, a batch at a time; the last one's id and hash."""
    connection = op.get_bind()
    lines = sa.table(
        "activity_logs",
        *(sa.column(name, sa.Text) for name in ("agent_name", "activity", "task_id", "details", "hash")),
        sa.column("id", sa.BigInteger),
        sa.column("timestamp", sa.TIMESTAMP(timezone=True)),
    )
    columns = [lines.c[name] for name in ("id", "agent_name", "activity", "task_id", "details", "timestamp")]
    change = lines.update().where(lines.c.id == sa.bindparam("number")).values(hash=sa.bindparam("digest"))
    last, digest = 0, ""
    while True:
        query = sa.select(*columns).where(lines.c.id > last).order_by(lines.c.id).limit(_AT_ONCE)
        rows = connection.execute(query).all()
        if not rows:
            return last, digest
        changes = []
        for number, agent, activity, task_id, details, moment in rows:
            content = [digest, agent, activity, task_id, details, _utc(moment).isoformat(timespec="microseconds")]
            text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
            last, digest = number, hashlib.sha256(text.encode()).hexdigest()
            changes.append({"number": number, "digest": digest})
        connection.execute(change, changes)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
