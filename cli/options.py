"""The options of all commands, and what they print on. It imports nothing of ours at first: `--help` needs no more."""

from __future__ import annotations

import functools
import inspect
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from typer.core import TyperOption
from typer.models import CommandFunctionType

EXIT_FAILED, EXIT_USAGE = 1, 2
"""1: it was tried and did not work; 2: the call or the configuration is wrong."""
MOST_ROWS = 100_000
"""What an option for a number of rows may say."""
_PANELS = 60
"""Characters from which on the help is drawn in panels."""
_FILE_WIDTH = 120
"""Characters a line may have where neither a terminal nor COLUMNS sets a limit."""


class _Terminal(Console):
    """A console on which text written by others, such as titles and test output, cannot control the terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        from monitoring import without_steering

        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(without_steering(segment.text), segment.style)


def _console(*, stderr: bool) -> Console:
    if not os.environ.get("COLUMNS", "").strip("0 "):  # no width at all: as if it were not set
        os.environ.pop("COLUMNS", None)
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if is_terminal or "COLUMNS" in os.environ else _FILE_WIDTH
    console = _Terminal(stderr=stderr, highlight=False, emoji=False, width=width)
    if is_terminal and console.is_dumb_terminal:  # Rich takes it for 80 characters wide, whatever it is
        console.width = shutil.get_terminal_size().columns
    return console


def folds() -> bool:
    """Whether stdout is a terminal on which long lines are folded between words; elsewhere lines stay whole."""
    return out.is_terminal and not out.is_dumb_terminal


AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
Repo = Annotated[
    str | None,
    typer.Option(
        "--repo", "-r", metavar="REPO", help="Path or URL of the repository (default: the configured or the last one)."
    ),
]

out, err = _console(stderr=False), _console(stderr=True)


_TYPE_TOLD = TyperOption.display_type_rich


def _type_told(self: TyperOption, ctx: Any) -> str | None:
    """What stands beside an option in its help: nothing for one that takes no value."""
    return None if self.is_flag else _TYPE_TOLD(self, ctx)


TyperOption.display_type_rich = _type_told  # type: ignore[method-assign]  # Typer writes `<bool>` there


@dataclass(frozen=True)
class Choice:
    """The options that say which project a command is about, and for whom its output is."""

    config: Path | None = None
    repo: str | None = None
    quiet: bool = False
    """The output is for a program: the project is not named beside it."""


def help_markup() -> Literal["rich"] | None:
    """How help is drawn: where the terminal is narrow, Rich's panels would cut the names of options."""
    return "rich" if out.width >= _PANELS else None


_CHOSEN: ContextVar[Choice | None] = ContextVar("chosen", default=None)
"""The options of the command that runs."""


class Commands(typer.Typer):
    """Commands that take --repo themselves; it may also stand before the command.

    A command without a context is about no repository and gets no such option.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"rich_markup_mode": help_markup()})

    def command(self, name: str | None = None, **options: Any) -> Callable[[CommandFunctionType], CommandFunctionType]:
        def registered(function: CommandFunctionType) -> CommandFunctionType:
            text = options.pop("help", None) or inspect.getdoc(function) or ""
            super(Commands, self).command(name, help=_whole_lines(text), **options)(_with_repo(function))
            return function

        return registered


def _whole_lines(text: str) -> str:
    """`text` with a line for each paragraph: Typer keeps the line ends of all but the first, which are the source's."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _with_repo(function: Callable[..., object]) -> Callable[..., object]:
    signature = inspect.signature(function, eval_str=True)
    if "ctx" not in signature.parameters:
        return function

    @functools.wraps(function)
    def told(ctx: typer.Context, repo: str | None = None, **given: object) -> object:
        ctx.obj = chosen(choice_of(ctx), repo, quiet=given.get("as_json") is True)
        return function(ctx, **{name: _text(value) for name, value in given.items()})

    option = inspect.Parameter("repo", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Repo)
    told.__signature__ = signature.replace(  # type: ignore[attr-defined]  # typer reads it
        parameters=[*signature.parameters.values(), option]
    )
    return told


def _text(given: object) -> object:
    """What was typed, as text that files and databases take: a shell hands on bytes that are no UTF-8, too."""
    if type(given) is str:  # not the choices, which are texts, too
        return given.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return [_text(each) for each in given] if isinstance(given, list) else given


def chosen(before: Choice, repo: str | None, *, quiet: bool = False) -> Choice:
    """The choice, with the --repo that was given after the command."""
    if repo is not None and not repo.strip():  # an unset variable of a shell must not mean the last repository
        raise fail("--repo is empty; give the path or URL of a repository, or leave it out", EXIT_USAGE)
    if repo and before.repo and absolute(repo) != absolute(before.repo):
        raise fail(f"--repo is given twice, as {before.repo} and as {repo}; give it once", EXIT_USAGE)
    choice = Choice(before.config, repo or before.repo, quiet)
    _CHOSEN.set(choice)
    return choice


def choice_of(ctx: typer.Context) -> Choice:
    """The options that were given before the command and to it."""
    choice = ctx.obj
    assert isinstance(choice, Choice)
    return choice


def caller() -> str:
    """What to type before a subcommand so that it is about the same project: the program, and the options given."""
    from config import caller, keep_options

    keep_options(given_options())
    return caller()


def given_options() -> list[str]:
    """The options that say which project the command that runs is about."""
    choice = _CHOSEN.get()
    config = ["--config", str(choice.config)] if choice and choice.config else []
    return [*config, *(["--repo", choice.repo] if choice and choice.repo else [])]


def fail(message: str, code: int = EXIT_FAILED) -> typer.Exit:
    """Print one clear error and give the exception that ends the command."""
    from monitoring import escaped_json, redact

    if (choice := _CHOSEN.get()) and choice.quiet:  # a program reads stdout, and gets JSON in any case
        sys.stdout.write(escaped_json(json.dumps({"error": redact(message)}, ensure_ascii=False)) + "\n")
    err.print(f"[bold red]error:[/] {escape(redact(message))}", markup=True, soft_wrap=True)
    return typer.Exit(code)


def absolute(repository: str) -> str:
    """A path made absolute, a URL as it is."""
    path = Path(repository).expanduser()
    return str(path.resolve()) if path.exists() else repository
