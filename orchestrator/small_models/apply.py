"""Merges the definitions that a small model wrote into the files they belong to."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from agents import Requirements
from file_system import (
    AnswerError,
    FileManager,
    FileSystemError,
    code_for,
    ensure_export,
    is_javascript,
    javascript_for,
    merge_definitions,
    merge_javascript,
)
from orchestrator.coding.method import apply_file_edits
from orchestrator.small_models.settings import Parts
from orchestrator.small_models.wanted_code import offered, without
from orchestrator.workbench.javascript import is_esm


def apply_definitions(
    root: Path, protected: list[str], requirements: Requirements, answer: str, tests: str, parts: Parts
) -> str:
    """Put the definitions of `answer` into the files below `root`. What is wrong with it, in words for its author, or
    nothing.

    `protected`: patterns of what it may not write. `tests`: the text of the new tests, which show what a package must
    export.
    """
    javascript = is_javascript(requirements.target_file)
    if not (javascript or requirements.target_file.endswith(".py")):
        return apply_file_edits(root, protected, requirements=requirements, answer=answer)
    files = FileManager(root, protected=protected)
    try:
        if javascript:
            _merge_javascript(files, root, requirements, answer)
        for piece in () if javascript else requirements.pieces:
            elsewhere = {name for other in requirements.pieces if other != piece for name in other.symbols}
            _merge(files, piece, answer, elsewhere, tests, parts)
    except (AnswerError, FileSystemError) as problem:
        return str(problem)
    finally:
        files.discard_backups()
    return ""


def _merge(
    files: FileManager, requirements: Requirements, answer: str, elsewhere: Collection[str], tests: str, parts: Parts
) -> None:
    """Put the definitions of `answer`, but those that belong `elsewhere`, into the target module, and export what the
    tests import from its package."""
    path = requirements.target_file
    before = files.read_file(path) if files.exists(path) else ""
    code = without(code_for(answer, path), elsewhere)
    offer = offered(code, before, requirements.symbols, parts)
    merged = merge_definitions(before, offer, path, add_imports=parts.missing_imports)
    files.write_file(path, merged.text)
    package, _, module = requirements.module.rpartition(".")
    init = f"{path.rpartition('/')[0]}/__init__.py"
    for name in merged.added if parts.exporting and package and files.exists(init) else ():
        wanted = rf"\bfrom {re.escape(package)} import {name}\b|\b{re.escape(package)}\.{name}\("
        if re.search(wanted, tests):
            files.write_file(init, ensure_export(files.read_file(init), module, name))


def _merge_javascript(files: FileManager, root: Path, requirements: Requirements, answer: str) -> None:
    """Put the definitions of `answer` into the target module, and export those that are wanted."""
    path = requirements.target_file
    before = files.read_file(path) if files.exists(path) else ""
    esm = is_esm(root, path)
    merged = merge_javascript(before, javascript_for(answer, path), path, requirements.symbols, esm=esm)
    files.write_file(path, merged.text)
