"""Which reader and which diagnosis a framework's report gets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from testing.environments.setup_plan import Framework
from testing.environments.toolchains import Language
from testing.frameworks.cargo import read_cargo_report
from testing.frameworks.compiled_diagnosis import diagnose_compiled
from testing.frameworks.diagnosis import ProjectNames, Symptom, diagnose
from testing.frameworks.go import read_go_report
from testing.frameworks.javascript_diagnosis import diagnose_javascript
from testing.frameworks.javascript_report import read_javascript_report
from testing.frameworks.junit import Report, read_report
from testing.results import Failure


def read(framework: Framework, language: Language, file: Path, source: Path, modules: Sequence[str]) -> Report:
    """The report that `framework` wrote to `file` about the sources at `source`.

    Raises InvalidReport when there is none, or it is not what the framework writes.
    """
    if framework in ("node", "vitest", "jest"):
        return read_javascript_report(file, source)
    if framework == "go":
        return read_go_report(file, source)
    if framework == "cargo":
        return read_cargo_report(file)
    return read_report(file, source, modules, python=language == "python")


def explain(language: Language, symptom: Symptom, names: ProjectNames) -> Failure:
    """Why a test failed, in the terms of its language."""
    match language:
        case "python":
            return diagnose(symptom, names)
        case "node":
            return diagnose_javascript(symptom)
        case "go" | "rust":
            return diagnose_compiled(symptom)
