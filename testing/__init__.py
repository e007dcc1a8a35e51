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
from testing.mutator import Distinguishing, Mutation, MutationTask, Survivor
from testing.ownership import discard as discard_folder
from testing.recombiner import Recombination, RecombinationTask
from testing.results import Failure, FailureKind, TestCounts, TestResult
from testing.runner import TestRunner
from testing.sandbox import Sandbox, SandboxMode, SandboxProbe, SandboxResult
from testing.setup_plan import Framework

__all__ = [
    "SETUP_LIMITS",
    "Distinguishing",
    "Environment",
    "EnvironmentManager",
    "EnvironmentSetupError",
    "Failure",
    "FailureKind",
    "Framework",
    "InvalidReport",
    "InvalidSelection",
    "Mount",
    "Mutation",
    "MutationTask",
    "Recombination",
    "RecombinationTask",
    "Sandbox",
    "SandboxLimits",
    "SandboxMode",
    "SandboxProbe",
    "SandboxResult",
    "SandboxUnavailable",
    "Survivor",
    "TestCounts",
    "TestResult",
    "TestRunner",
    "TestingError",
    "declared_tests",
    "detect_framework",
    "discard_folder",
]
