"""Which reader and which diagnosis a framework's report gets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from testing.diagnosis import ProjectNames, Symptom, diagnose
from testing.javascript.diagnosis import diagnose_javascript
from testing.javascript.report import read_javascript_report
from testing.junit import Report, read_report
from testing.results import Failure
from testing.setup_plan import Framework
from testing.toolchains import Language


def read(framework: Framework, file: Path, source: Path, modules: Sequence[str]) -> Report:
    """The report that `framework` wrote to `file` about the sources at `source`.

    Raises InvalidReport when there is none, or it is not what the framework writes.
    """
    if framework in ("node", "vitest", "jest"):
        return read_javascript_report(file, source)
    return read_report(file, source, modules)


def explain(language: Language, symptom: Symptom, names: ProjectNames) -> Failure:
    """Why a test failed, in the terms of its language."""
    return diagnose_javascript(symptom) if language == "node" else diagnose(symptom, names)
