"""`project …`: what the team knows of a repository, and how it sets the repository up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.options import EXIT_USAGE, AsJson, Commands, choice_of, fail, out
from cli.project import load, opened, print_json, require_repository
from cli.project_start import start
from cli.tables import Cell, Column, FittedTable
from monitoring import redact
from owner.project import ProjectView, latest_project
from owner.words import one_line, status_word

if TYPE_CHECKING:
    from orchestrator.project_facts import ProjectFacts, Sourced

project_commands = Commands(
    help="Make a project of a text, and see what the team knows of the repository.", no_args_is_help=True
)
project_commands.command("start")(start)
_MOST_LINES = 8
_LONGEST_ITEM = 3000


@project_commands.command("show")
def show(
    ctx: typer.Context,
    named: Annotated[
        str, typer.Argument(metavar="[ID]", help="Id of a project, or its beginning (default: the latest).")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show the latest project (specification, discussion, note, tasks), and how the repository is set up and tested.

    It shows what is known: nothing is run, fetched or built, and no daemon is needed.
    """
    project = load(choice_of(ctx))
    require_repository(project, quiet=True)
    if not project.paths.state.exists():
        raise fail(
            f"the team does not know the repository {project.name}: no daemon has worked on it, and no task was given "
            "for it; is the name misspelt?",
            EXIT_USAGE,
        )
    from orchestrator.project_facts import project_facts  # most of the start-up time

    with opened(choice_of(ctx), names_project=True) as (project, store):
        facts = project_facts(project.settings, project.paths, store)
        begun = latest_project(store, named)
    if as_json:
        print_json(facts.model_dump() | {"project": begun.model_dump(mode="json") if begun else None})
        return
    if begun:
        _show_project(begun)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in _lines(facts):
        table.add_row(name, Text(redact(text)))
    out.print(table)


@project_commands.command("set-up")
def set_up(
    ctx: typer.Context,
    command: Annotated[
        str, typer.Option("--command", metavar="COMMAND", help="A shell command that sets the project up, from now on.")
    ] = "",
    forget: Annotated[
        bool, typer.Option("--forget", help="Forget the remembered command, and what the team tried in vain.")
    ] = False,
) -> None:
    """Show, give or forget the command by which the project's environment is set up.

    A running daemon uses it for the next environment. `testing.setup_command` in config.yaml comes first.
    """
    if command.strip() and forget:
        raise fail("give either --command or --forget", EXIT_USAGE)
    from orchestrator.services import forget_setup, keep_setup, remembered_setup  # most of the start-up time

    with opened(choice_of(ctx), writes=bool(command.strip())) as (project, store):
        configured = project.settings.testing.setup_command
        if command.strip():
            keep_setup(store, command.strip(), "owner")
            out.print("Remembered; the next environment is set up by it.")
        elif forget:
            done = forget_setup(store)
            out.print("Forgotten; the team finds it out again where that is needed." if done else "Nothing to forget.")
        elif configured or not (found := remembered_setup(store)):
            by = "testing.setup_command in config.yaml" if configured else "the project's dependency files"
            out.print(f"{configured or 'as they say'} ({by})", markup=False, soft_wrap=True)
        else:
            out.print(f"{found[0]} ({'found by the team' if found[1] == 'team' else 'given here'})", markup=False,
                      soft_wrap=True)  # fmt: skip
        if configured and (command or forget):
            out.print(f"testing.setup_command in config.yaml still comes first: {configured}", markup=False,
                      soft_wrap=True)  # fmt: skip


def _show_project(project: ProjectView) -> None:
    """What a text has become, and where each of its tasks is."""
    state = status_word(project.status) + (f", {project.stage.replace('_', ' ')}" if project.stage else "")
    out.print(Text(f"{one_line(project.title)}  ({project.task}, {state})", style="bold"), soft_wrap=True)
    if project.detail:
        out.print(project.detail, markup=False)
    for section in project.sections:
        out.print(Text(f"\n{section.heading}", style="bold"))
        for line in [section.text, *(f"- {one_line(item, _LONGEST_ITEM)}" for item in section.items)]:
            if line:
                out.print(Padding(Text(line), (0, 0, 0, 2)))
    if project.tasks:
        out.print(Text("\nIts tasks", style="bold"))
        rows: list[list[Cell]] = [
            [each.id, one_line(each.title), each.kind or each.type, status_word(each.status), ", ".join(each.after)]
            for each in project.tasks
        ]
        columns = [
            Column("task"), Column("title", least=12), Column("kind", rank=2), Column("status", least=16),
            Column("after", least=12, rank=1),
        ]  # fmt: skip
        out.print(FittedTable(columns, rows))
    out.print(Text("\nThe repository", style="bold"))


def _lines(facts: ProjectFacts) -> Iterator[tuple[str, str]]:
    yield "repository", facts.repository
    yield "works from", f"{facts.base_branch or 'not known yet'}"
    yield "lands on", facts.landing_branch + (f" at {facts.tip[:12]}" if facts.tip else "")
    yield "languages", ", ".join(f"{name} ({files})" for name, files in facts.languages.items()) or "not known yet"
    yield "framework", "\n".join(map(_sourced, facts.frameworks)) or "not known yet"
    yield "set up by", _sourced(facts.setup_command)
    yield "tested by", _sourced(facts.test_command)
    yield "tests in", _some([f"{folder}/ ({number})" for folder, number in facts.test_paths.items()]) or "not known yet"
    if facts.services:
        yield "services", _some([_sourced(service) for service in facts.services])
    if built := facts.environment:
        took = f"built {built.built:%Y-%m-%d %H:%M} UTC in {built.seconds:.0f} s, {built.size_bytes / 1e6:.1f} MB"
        yield "environment", f"{built.language}, {took}"
    if suite := facts.baseline:
        fail_before = f"{suite.failing} fail before the work" if suite.failing else "none fails"
        yield (
            "suite",
            f"{suite.passed} tests pass, {fail_before} ({suite.recorded:%Y-%m-%d %H:%M} UTC, {suite.seconds:.1f} s)",
        )
        if suite.failed:
            yield "fail before", _some(suite.failed, suite.failing)
    if facts.flaky:
        yield "flaky", _some(facts.flaky)
    for missing in facts.missing:
        yield "missing", f"{missing.what}\n→ {missing.remedy}"
    yield "protected", f"{', '.join(facts.protected)}\nfrom the developer also tests and files of dependencies (--json)"
    yield "conventions", "\n".join(facts.conventions) or "not known yet"
    for note in facts.notes:
        yield "note", note


def _sourced(found: Sourced) -> str:
    return f"{found.value} ({found.source})" if found.value else found.source


def _some(lines: list[str], number: int | None = None) -> str:
    left = (number or len(lines)) - _MOST_LINES
    return "\n".join([*lines[:_MOST_LINES], *([f"… and {left} more (--json)"] if left > 0 else [])])
