"""`facts`: what could become work."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from agents import FactKind, fact_kinds
from cli.options import MOST_ROWS, AsJson, choice_of, err, fail, out
from cli.project import opened, print_json
from monitoring import configure_logging

_TEXT_WIDTH = 200


def facts(
    ctx: typer.Context,
    kind: Annotated[
        list[FactKind] | None,
        typer.Option("--kind", "-k", help="Only facts of this kind; may be repeated (default: project.tasks_from)."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=MOST_ROWS, help="Number of facts to show.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what could become work: failing tests, TODOs, untested functions, lint, types, docstrings.

    The CEO chooses from these. The suite and the project's own checkers are run in the sandbox, unless the daemon
    has their results already.
    """
    from git_ops import GitError  # most of the start-up time; few commands need them
    from orchestrator import OrchestratorError
    from orchestrator.idle.known_facts import report_facts

    with opened(choice_of(ctx)) as (project, store):
        configure_logging(project.settings.monitoring, project.paths.logs, stdout=False)
        wanted = kind or fact_kinds(project.settings.project.tasks_from)
        if not as_json:
            err.print("Looking for facts; the first time this may take minutes.", style="dim")
        try:
            report = report_facts(project.settings, project.paths, store, wanted)
        except (GitError, OrchestratorError, OSError) as problem:
            raise fail(str(problem)) from None
    if as_json:
        print_json(report)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("kind", "where", "what", "state"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "kind")
    for row in report.facts[:limit]:
        where = f"{row.path}:{row.line}" if row.line else row.path
        told = " ".join(row.text.split())[:_TEXT_WIDTH]
        table.add_row(
            row.kind.value,
            Text(f"{where} {row.symbol}".strip()),
            Text(told),
            Text(f"{row.state} {row.task}{row.why and f': {row.why}'}".strip()),
        )
    if report.facts:
        out.print(table)
    else:
        out.print("Nothing was found.")
    if len(report.facts) > limit:
        out.print(f"… and {len(report.facts) - limit} more (--limit)")
    for note in report.notes:
        err.print(f"note: {note}", markup=False, soft_wrap=True)
