"""Running a project's tests: the sandbox, the project's environment, the test runner, and what a result means."""

from testing.environment import Environment, EnvironmentManager
from testing.errors import (
    EnvironmentSetupError,
    InvalidReport,
    InvalidSelection,
    SandboxUnavailable,
    TestingError,
)
from testing.frameworks import declared_tests, detect_framework
from testing.limits import SETUP_LIMITS, SandboxLimits
from testing.mounts import Mount
from testing.ownership import discard as discard_folder
from testing.recombiner import Recombination, RecombinationTask
from testing.results import Failure, FailureKind, TestCounts, TestResult
from testing.runner import TestRunner
from testing.sandbox import Sandbox, SandboxMode, SandboxProbe, SandboxResult
from testing.setup_plan import Framework

__all__ = [
    "SETUP_LIMITS",
    "Environment",
    "EnvironmentManager",
    "EnvironmentSetupError",
    "Failure",
    "FailureKind",
    "Framework",
    "InvalidReport",
    "InvalidSelection",
    "Mount",
    "Recombination",
    "RecombinationTask",
    "Sandbox",
    "SandboxLimits",
    "SandboxMode",
    "SandboxProbe",
    "SandboxResult",
    "SandboxUnavailable",
    "TestCounts",
    "TestResult",
    "TestRunner",
    "TestingError",
    "declared_tests",
    "detect_framework",
    "discard_folder",
]
