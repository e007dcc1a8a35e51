"""The proof that each kind of work needs beside its tests and the suite. No kind lands without one that was seen."""

from __future__ import annotations

from file_system import same_but_documentation
from memory import TaskKind
from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext
from orchestrator.workbench.sources import public_signatures


def needs_code(kind: str) -> bool:
    """Whether the developer has work to do: tests alone are QA's."""
    return kind != TaskKind.TESTS


def lacking_proof(ctx: StageContext, state: CodeState, tree: str) -> str:
    """Why a green change is no proof of its kind of work, in words for the developer; empty if it is."""
    match state.kind:
        case TaskKind.DOCUMENTATION:
            return _changes_code(ctx, state, tree)
        case TaskKind.REFACTORING:
            return _changes_surface(ctx, state, tree)
        case _:
            return ""


def _changes_code(ctx: StageContext, state: CodeState, tree: str) -> str:
    paths = [change.path for change in ctx.bench.changed(state.tests_commit, tree)]
    before, after = (ctx.bench.texts_of(each, paths) for each in (state.tests_commit, tree))
    changed = [path for path in paths if not same_but_documentation(path, before[path], after[path])]
    if not changed:
        return ""
    return (
        f"the work is documentation, but what code does changes in {', '.join(changed)}; change only texts, comments, "
        "docstrings and annotations"
    )


def _changes_surface(ctx: StageContext, state: CodeState, tree: str) -> str:
    paths = [change.path for change in ctx.bench.changed(state.tests_commit, tree)]
    before, after = (public_signatures(ctx.bench.texts_of(each, paths)) for each in (state.tests_commit, tree))
    differing = sorted(name for name, signature in before.items() if after.get(name) != signature)
    if not differing:
        return ""
    return (
        f"the work is refactoring, but the public surface changes: {', '.join(differing[:8])}; keep names and "
        "signatures as they are"
    )
