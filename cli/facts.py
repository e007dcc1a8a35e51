"""`facts`: what could become work."""

from __future__ import annotations

from typing import Annotated

import typer

from agents import FactKind, fact_kinds
from cli.options import MOST_ROWS, AsJson, choice_of, err, fail, out
from cli.project import opened, print_json
from cli.tables import Cell, Column, FittedTable
from monitoring import configure_logging

_TEXT_WIDTH = 200


def facts(
    ctx: typer.Context,
    kind: Annotated[
        list[FactKind] | None,
        typer.Option(
            "--kind",
            "-k",
            metavar="KIND",
            help=f"Only these: {', '.join(FactKind)}; may be repeated (default: project.tasks_from).",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", min=1, max=MOST_ROWS, help="Number of facts to show.")
    ] = 50,
    as_json: AsJson = False,
) -> None:
    """List what could become work: failing tests, TODOs, untested functions, lint, types, docstrings.

    The CEO chooses from these. Tests and the project's own checkers run in the sandbox, where no result is known yet.
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
    columns = [Column("kind"), Column("where", least=16), Column("what", least=16), Column("state", least=12)]
    rows: list[list[Cell]] = []
    for row in report.facts[:limit]:
        where = f"{row.path}:{row.line}" if row.line else row.path
        told = " ".join(row.text.split())[:_TEXT_WIDTH]
        state = f"{row.state} {row.task}{row.why and f': {row.why}'}".strip()
        rows.append([row.kind.value, f"{where} {row.symbol}".strip(), told, state])
    if report.facts:
        out.print(FittedTable(columns, rows))
    else:
        out.print("Nothing was found.")
    if len(report.facts) > limit:
        out.print(f"… and {len(report.facts) - limit} more (--limit)")
    for note in report.notes:
        err.print(f"note: {note}", markup=False, soft_wrap=True)
