"""What the team keeps: tasks, attempts, verdicts, the ledger of model calls, memories, activity and decisions.

One schema on SQLite or PostgreSQL, migrated at start; and the context an agent sees, built from it in a token budget.
"""

from memory.context import ContextManager, Section, estimated_tokens
from memory.database.schema import SCHEMA_REVISION
from memory.database.sqlite_files import check_sound, check_writable, compact, copy_database, revision_of
from memory.errors import (
    AmbiguousTask,
    ContextTooLarge,
    DatabaseCorrupt,
    DatabaseFull,
    DatabaseLocked,
    DatabaseReadOnly,
    DatabaseUnreachable,
    DatabaseUnusable,
    IllegalTransition,
    MemoryStoreError,
    SchemaMissing,
    SchemaTooNew,
    UnknownTask,
    UnsupportedDatabase,
    ValueTooLarge,
)
from memory.models.budgets import NANO, Claim, LimitState, Reserved, WaitingCall
from memory.models.priority import effective_priority, queue_priority
from memory.models.quality import SuiteQuality
from memory.models.task_ids import new_task_id
from memory.models.tasks import (
    MOST_TESTS,
    OWNER,
    Activity,
    Attempt,
    ControlCommand,
    Criterion,
    Decision,
    Memory,
    ModelCall,
    ModelProbe,
    Priority,
    StoredResponse,
    Task,
    TaskStatus,
    TaskType,
    UsageRow,
    Verdict,
    utc_now,
)
from memory.store import MemoryStore
from memory.tables.audit import AuditReport
from memory.tables.commands import moment_of
from memory.tables.tasks import ENDED, RETRIABLE, TaskChanges
from monitoring.errors import FailureReason

__all__ = [
    "ENDED",
    "MOST_TESTS",
    "NANO",
    "OWNER",
    "RETRIABLE",
    "SCHEMA_REVISION",
    "Activity",
    "AmbiguousTask",
    "Attempt",
    "AuditReport",
    "Claim",
    "ContextManager",
    "ContextTooLarge",
    "ControlCommand",
    "Criterion",
    "DatabaseCorrupt",
    "DatabaseFull",
    "DatabaseLocked",
    "DatabaseReadOnly",
    "DatabaseUnreachable",
    "DatabaseUnusable",
    "Decision",
    "FailureReason",
    "IllegalTransition",
    "LimitState",
    "Memory",
    "MemoryStore",
    "MemoryStoreError",
    "ModelCall",
    "ModelProbe",
    "Priority",
    "Reserved",
    "SchemaMissing",
    "SchemaTooNew",
    "Section",
    "StoredResponse",
    "SuiteQuality",
    "Task",
    "TaskChanges",
    "TaskStatus",
    "TaskType",
    "UnknownTask",
    "UnsupportedDatabase",
    "UsageRow",
    "ValueTooLarge",
    "Verdict",
    "WaitingCall",
    "check_sound",
    "check_writable",
    "compact",
    "copy_database",
    "effective_priority",
    "estimated_tokens",
    "moment_of",
    "new_task_id",
    "queue_priority",
    "revision_of",
    "utc_now",
]
