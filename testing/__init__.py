"""Running a project's tests: the sandbox, the project's environment, the test runner, and what a result means."""

from testing.checkers import Checked, Checker, Finding
from testing.environment import EnvironmentManager
from testing.environment_record import Environment
from testing.errors import (
    EnvironmentSetupError,
    InvalidReport,
    InvalidSelection,
    RunKilled,
    SandboxUnavailable,
    TestingError,
)
from testing.frameworks import declared_tests, detect_framework
from testing.javascript.package import read_package
from testing.limits import SETUP_LIMITS, SandboxLimits
from testing.mounts import Mount
from testing.mutator import Distinguishing, Mutation, MutationTask, Survivor
from testing.narrowing import has_tests, only_tests
from testing.orphans import end_orphans
from testing.ownership import discard as discard_folder
from testing.recombiner import Comparison, ComparisonTask, Recombination, RecombinationTask
from testing.results import Failure, FailureKind, TestCounts, TestResult
from testing.runner import TestRunner
from testing.sandbox import Sandbox, SandboxMode, SandboxProbe, SandboxResult
from testing.setup_plan import Framework
from testing.tampering import Tampering, explain_tampering, tampering
from testing.toolchains import Language, find_toolchain, remedy_for

__all__ = [
    "SETUP_LIMITS",
    "Checked",
    "Checker",
    "Comparison",
    "ComparisonTask",
    "Distinguishing",
    "Environment",
    "EnvironmentManager",
    "EnvironmentSetupError",
    "Failure",
    "FailureKind",
    "Finding",
    "Framework",
    "InvalidReport",
    "InvalidSelection",
    "Language",
    "Mount",
    "Mutation",
    "MutationTask",
    "Recombination",
    "RecombinationTask",
    "RunKilled",
    "Sandbox",
    "SandboxLimits",
    "SandboxMode",
    "SandboxProbe",
    "SandboxResult",
    "SandboxUnavailable",
    "Survivor",
    "Tampering",
    "TestCounts",
    "TestResult",
    "TestRunner",
    "TestingError",
    "declared_tests",
    "detect_framework",
    "discard_folder",
    "end_orphans",
    "explain_tampering",
    "find_toolchain",
    "has_tests",
    "only_tests",
    "read_package",
    "remedy_for",
    "tampering",
]
