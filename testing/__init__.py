"""Running a project's tests: the sandbox, the project's environment, the test runner, and what a result means."""

from testing.checkers import CHECKERS, Checked, Finding
from testing.controls import (
    MOST_TWINS,
    NOT_READ,
    Apart,
    Claim,
    Opaque,
    Replay,
    Twins,
    Unknown,
    Unlike,
    apart_of,
    has_lost,
    has_setup,
    programs_of,
    replays_of,
    twins_of,
    value_of,
    ways_of,
    whole_tests,
    without_claims,
    wrong_of,
)
from testing.environments.environment import Environment
from testing.environments.install_hints import install_command
from testing.environments.manager import EnvironmentManager
from testing.environments.package_json import Package, read_package
from testing.environments.pytest_settings import read_pytest_settings
from testing.environments.toolchains import Language, find_toolchain, remedy_for
from testing.errors import (
    EnvironmentSetupError,
    InvalidReport,
    InvalidSelection,
    RunKilled,
    SandboxUnavailable,
)
from testing.frameworks.declared_tests import declared_sources, declared_tests, has_tests, only_tests
from testing.frameworks.javascript import WHOLE_SCRIPT
from testing.frameworks.registry import BY_EXIT_CODE, FRAMEWORKS, detect_framework, other_language
from testing.inside.watch import MARK as LOOK
from testing.measuring.calls import LATER
from testing.measuring_programs import (
    CallsTask,
    Examples,
    ExamplesTask,
    Given,
    Steps,
    Timing,
    TimingTask,
    apart_from,
    calls_of,
    run_calls,
    run_examples,
    time_both,
)
from testing.pages import Pages
from testing.projects import SubProject, make_target, owner_of, projects_of
from testing.results import Failure, LinesRun, TestCounts, TestResult, merged
from testing.runner import TestRunner
from testing.sandbox.confinement import Mount
from testing.sandbox.limits import SandboxLimits
from testing.sandbox.sandbox import Sandbox, SandboxResult
from testing.sandbox.supervisor import end_orphans
from testing.sandbox.user import discard as discard_folder
from testing.sandboxed_program import MOST_RESULT_BYTES, Mutation, MutationTask, Place, Survivor, mutate, run_program
from testing.tampering import Tampering, explain_tampering, tampering

__all__ = [
    "BY_EXIT_CODE",
    "CHECKERS",
    "FRAMEWORKS",
    "LATER",
    "LOOK",
    "MOST_RESULT_BYTES",
    "MOST_TWINS",
    "NOT_READ",
    "WHOLE_SCRIPT",
    "Apart",
    "CallsTask",
    "Checked",
    "Claim",
    "Environment",
    "EnvironmentManager",
    "EnvironmentSetupError",
    "Examples",
    "ExamplesTask",
    "Failure",
    "Finding",
    "Given",
    "InvalidReport",
    "InvalidSelection",
    "Language",
    "LinesRun",
    "Mount",
    "Mutation",
    "MutationTask",
    "Opaque",
    "Package",
    "Pages",
    "Place",
    "Replay",
    "RunKilled",
    "Sandbox",
    "SandboxLimits",
    "SandboxResult",
    "SandboxUnavailable",
    "Steps",
    "SubProject",
    "Survivor",
    "Tampering",
    "TestCounts",
    "TestResult",
    "TestRunner",
    "Timing",
    "TimingTask",
    "Twins",
    "Unknown",
    "Unlike",
    "apart_from",
    "apart_of",
    "calls_of",
    "declared_sources",
    "declared_tests",
    "detect_framework",
    "discard_folder",
    "end_orphans",
    "explain_tampering",
    "find_toolchain",
    "has_lost",
    "has_setup",
    "has_tests",
    "install_command",
    "make_target",
    "merged",
    "mutate",
    "only_tests",
    "other_language",
    "owner_of",
    "programs_of",
    "projects_of",
    "read_package",
    "read_pytest_settings",
    "remedy_for",
    "replays_of",
    "run_calls",
    "run_examples",
    "run_program",
    "tampering",
    "time_both",
    "twins_of",
    "value_of",
    "ways_of",
    "whole_tests",
    "without_claims",
    "wrong_of",
]
