"""Tasks, queues, flows and the CEO's idle loop: what drives the agents. The only place that knows the engine."""

from orchestrator.backup import Manifest, Restored, make_backup, restore_backup
from orchestrator.errors import BackupUnusable, DaemonRunning, OrchestratorError, StageFailed, UnknownFlow
from orchestrator.flows.task_queue import TaskQueue
from orchestrator.services import Services, open_services
from orchestrator.task_orchestrator import TaskOrchestrator

__all__ = [
    "BackupUnusable",
    "DaemonRunning",
    "Manifest",
    "OrchestratorError",
    "Restored",
    "Services",
    "StageFailed",
    "TaskOrchestrator",
    "TaskQueue",
    "UnknownFlow",
    "make_backup",
    "open_services",
    "restore_backup",
]
