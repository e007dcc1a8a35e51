"""Brings a developer's answer into files: definitions of a small model are merged, edits of a strong one are made."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from agents import Requirements
from file_system import (
    AnswerError,
    FileManager,
    FileSystemError,
    apply_edits,
    code_for,
    ensure_export,
    is_javascript,
    javascript_for,
    merge_definitions,
    merge_javascript,
    parse_answer,
)
from orchestrator.small_models.wanted_code import offered, without
from orchestrator.workbench.javascript import is_esm


def apply_answer(
    root: Path, protected: list[str], requirements: Requirements, answer: str, *, small: bool, tests: str
) -> str:
    """Make the edits of `answer` in the files below `root`. What is wrong with it, in words for its author, or nothing.

    `protected`: patterns of what it may not write. `small`: whether it is a small model's, which writes definitions.
    `tests`: the text of the new tests, which tell what a package has to hand out.
    """
    files = FileManager(root, protected=protected)
    try:
        if small and requirements.target_file.endswith(".py"):
            for piece in requirements.pieces:
                elsewhere = {name for other in requirements.pieces if other != piece for name in other.symbols}
                _merge(files, piece, answer, elsewhere, tests)
        elif small and is_javascript(requirements.target_file):
            _merge_javascript(files, root, requirements, answer)
        else:
            apply_edits(files, parse_answer(answer, target=requirements.target_file))
    except (AnswerError, FileSystemError) as problem:
        return str(problem)
    finally:
        files.discard_backups()
    return ""


def _merge(files: FileManager, requirements: Requirements, answer: str, elsewhere: Collection[str], tests: str) -> None:
    """Put the definitions of `answer`, but those that belong `elsewhere`, into the target module, and export what the
    tests import from its package."""
    path = requirements.target_file
    before = files.read_file(path) if files.exists(path) else ""
    code = without(code_for(answer, path), elsewhere)
    merged = merge_definitions(before, offered(code, before, requirements.symbols), path)
    files.write_file(path, merged.text)
    package, _, module = requirements.module.rpartition(".")
    init = f"{path.rpartition('/')[0]}/__init__.py"
    for name in merged.added if package and files.exists(init) else ():
        wanted = rf"\bfrom {re.escape(package)} import {name}\b|\b{re.escape(package)}\.{name}\("
        if re.search(wanted, tests):
            files.write_file(init, ensure_export(files.read_file(init), module, name))


def _merge_javascript(files: FileManager, root: Path, requirements: Requirements, answer: str) -> None:
    """Put the definitions of `answer` into the target module, what is wanted of them handed out."""
    path = requirements.target_file
    before = files.read_file(path) if files.exists(path) else ""
    esm = is_esm(root, path)
    merged = merge_javascript(before, javascript_for(answer, path), path, requirements.symbols, esm=esm)
    files.write_file(path, merged.text)
