"""Tasks, queues, flows and the CEO's idle loop: what drives the agents. The only place that knows the engine."""

from orchestrator.errors import DaemonRunning, OrchestratorError, StageFailed, UnknownFlow
from orchestrator.services import Services, open_services
from orchestrator.task_orchestrator import TaskOrchestrator

__all__ = [
    "DaemonRunning",
    "OrchestratorError",
    "Services",
    "StageFailed",
    "TaskOrchestrator",
    "UnknownFlow",
    "open_services",
]
