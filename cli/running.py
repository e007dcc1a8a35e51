"""`run` and `demo`: the daemon itself, in the foreground, until it is told to stop or, with --until-idle, is idle."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from cli.live import Follower, LogFollower, Watch
from cli.models import fetch_with_progress
from cli.options import EXIT_FAILED, EXIT_USAGE, Choice, absolute, caller, choice_of, err, fail
from cli.owner import start_alerts
from cli.project import (
    DEMO_HOME,
    DEMO_REPOSITORY,
    Project,
    demo_settings,
    load,
    remember_repository,
    require_repository,
)
from cli.room import open_control_room
from cli.views import show_diff, task_table
from config import VERSION, command
from llm import AUTO, Lineup, NotConfigured, local_model, local_models, model_status, unlimited, uses_embedded_model
from memory import MemoryStoreError, TaskStatus
from monitoring import AlertKind, Supervisor, alert, configure_logging, get_logger
from monitoring.errors import KnownError
from monitoring.tracing import start_tracing, stop_tracing
from owner.artifacts import document_of
from owner.daily import write_yesterday
from owner.disk import unusable
from owner.stopped import stopped_count
from owner.stream import Clock
from owner.words import count

if TYPE_CHECKING:
    from orchestrator import Services
    from orchestrator.circle.watcher import Watcher
    from owner.forge_runner import ForgeRunner

log = get_logger(__name__)

_PATIENCE = 600.0
"""Seconds that the start of a service waits for a problem to pass: longer than systemd's StartLimitIntervalSec, so that
a lasting problem does not use up its StartLimitBurst."""
_LAST_ALERTS = 5.0
"""Seconds that alerts get to be sent before the process ends."""
_MOST_SHOWN = 200
_SAMPLE = Path(__file__).resolve().parent.parent / "examples" / "sample_project"
_SMALL_BACKLOG = _SAMPLE.with_name("demo_backlog.md")
_DEMO_USD = 1.0


def run(
    ctx: typer.Context,
    goal: Annotated[str | None, typer.Option("--goal", "-g", help="What to achieve, in plain words.")] = None,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="End when the stated work is done.")] = False,
    no_budget: Annotated[
        bool, typer.Option("--no-budget", help="Ask models that cost money without a limit by day or month.")
    ] = False,
) -> None:
    """Start the daemon. It runs until SIGTERM, SIGINT or SIGHUP; unfinished work continues at the next start.

    With --until-idle the exit code is 0 if every task was completed, 1 otherwise. A model that costs money needs
    a limit by day or month (section budget of config.yaml): at a terminal it is asked for, elsewhere the code is 2.
    """
    overrides: dict[str, dict[str, object]] = {"project": {"goal": goal}} if goal is not None else {}
    if no_budget:
        overrides["budget"] = {"no_limit": True}
    project = load(choice_of(ctx), overrides)
    require_repository(project, quiet=False)
    if _asks_for_limit(project, choice_of(ctx)):
        project = load(choice_of(ctx), overrides)
    work(project, until_idle=until_idle, for_people=sys.stdout.isatty())


def _without_limit(project: Project) -> str:
    """That a model costs money and nothing limits it; else empty. What cannot be asked ends the command."""
    settings = project.settings
    try:
        return unlimited(Lineup(settings.llm, settings.agents).all(), settings.llm, settings.budget)
    except NotConfigured as problem:
        raise fail(str(problem), problem.exits_with) from None


def _asks_for_limit(project: Project, choice: Choice) -> bool:
    """With a model that costs money and no limit: ask for one and write it to the configuration, or end the command.

    Whether something was written.
    """
    problem = _without_limit(project)
    if not problem:
        return False
    from cli.configuration import change
    from cli.init import Talk, ask_day_usd

    remedy = f"`{caller()} config set budget.day_usd 5`, or start with --no-budget"
    day_usd = ask_day_usd(Talk(sys.stdin.isatty() and sys.stderr.isatty()), problem, remedy)
    change(choice, {"budget.day_usd": day_usd} if day_usd else {"budget.no_limit": True})
    return True


def demo(
    ctx: typer.Context,
    minutes: Annotated[float, typer.Option(min=0.1, help="Stop after this many minutes, finished or not.")] = 20,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over, even if a demo is there.")] = False,
    items: Annotated[int, typer.Option(min=1, max=8, help="Number of items from the sample backlog.")] = 8,
) -> None:
    """Let the team work on a sample repository until its backlog is done or the time is up.

    The embedded model gets four small items that it can be relied on for, a model with a key eight harder ones, for at
    most a dollar unless a budget is set. The exit code is 0 if any task landed.
    """
    if given := choice_of(ctx).repo:
        raise fail(f"the demo has a repository of its own; for yours: {command()} run --repo {given}", EXIT_USAGE)
    choice = Choice(choice_of(ctx).config)
    overrides = demo_settings(DEMO_HOME)
    project = load(choice, overrides)
    if _without_limit(project):
        overrides["budget"] = {"day_usd": _DEMO_USD}
        err.print(f"It spends at most {_DEMO_USD:g} US dollar a day.")
    llm = project.settings.llm
    embedded = uses_embedded_model(llm, project.settings.agents)
    if llm.local_model == AUTO:  # a larger one is downloaded for longer than the demo lasts
        overrides["llm"] = {"local_model": local_models()[0].name}
    prepare_demo(DEMO_HOME, fresh=fresh, items=items, small=embedded)
    project = load(choice, overrides)
    err.print(f"The sample repository is {project.settings.git.repository_url}; BACKLOG.md there says what it wants.",
              markup=False, soft_wrap=True)  # fmt: skip
    work(project, until_idle=True, for_people=True, seconds=minutes * 60, is_demo=True)


def prepare_demo(home: Path, *, fresh: bool, items: int, small: bool = False) -> None:
    """Make the sample repository unless it is there; with `small` it wants what a small model can be relied on for."""
    home = home.resolve()
    repository = home / DEMO_REPOSITORY
    if fresh:
        shutil.rmtree(home, ignore_errors=True)
    if not (repository / ".git").is_dir():
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(_SAMPLE, repository, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
        if small:
            shutil.copyfile(_SMALL_BACKLOG, repository / "BACKLOG.md")
        backlog = repository / "BACKLOG.md"
        text = backlog.read_text(encoding="utf-8")
        starts = [match.start() for match in re.finditer(r"(?m)^## ", text)]
        if items < len(starts):
            backlog.write_text(text[: starts[items]], encoding="utf-8")
        for command in (
            ["init", "-q", "-b", "main"],
            ["add", "-A"],
            ["-c", "user.name=Owner", "-c", "user.email=owner@localhost", "commit", "-q", "-m", "The sample project"],
        ):
            subprocess.run(["git", "-C", str(repository), *command], check=True)


def work(
    project: Project,
    *,
    until_idle: bool,
    for_people: bool,
    seconds: float | None = None,
    is_demo: bool = False,
) -> None:
    """Wire the services, run the orchestrator, and end the process with a code that means something."""
    begun, supervisor = time.monotonic(), Supervisor()
    from orchestrator import TaskOrchestrator, open_services  # most of the start-up time; few commands need it

    try:
        configure_logging(project.settings.monitoring, project.paths.logs, stdout=not for_people)
        start_tracing(project.settings.monitoring.traces_url, VERSION)
        sender = start_alerts(project)
    except OSError as problem:  # without a log only the terminal can show it
        raise fail(unusable(problem, project.paths), EXIT_FAILED) from None
    teller: Follower | None = None
    try:
        _have_model(project, supervisor, for_people=for_people)
        teller = Follower() if for_people else None
        patience = 0 if for_people or until_idle else _PATIENCE  # somebody is waiting: report at once
        patient = not until_idle
        services = open_services(project.settings, project.paths, document_of, patient=patient, patience=patience)
        reports = project.settings.monitoring.daily_report and not until_idle
        daily = partial(write_yesterday, services.store, project.paths.state, caller()) if reports else None
        orchestrator = TaskOrchestrator(services, until_idle=until_idle, supervisor=supervisor, daily=daily)
        remember_repository(project)
        budget, hours = project.settings.budget, project.settings.orchestrator.quiet
        watch = Watch(services.store, budget, orchestrator.running, hours)
        if teller:
            teller.follow(services.store, watch)
        orchestrator.start(patience)
    except (KnownError, OSError) as problem:
        if teller:
            teller.stop()
        told = unusable(problem, project.paths) if isinstance(problem, OSError) else str(problem)
        alert(AlertKind.CRITICAL, f"start: {type(problem).__name__}", f"the daemon could not start: {told}")
        if sender:
            sender.close(_LAST_ALERTS)
        raise fail(told, EXIT_FAILED if isinstance(problem, OSError) else problem.exits_with) from None

    def request_stop(why: str = "") -> None:
        if teller:
            grace = project.settings.orchestrator.shutdown_grace
            teller.end(f"{why}Stopping; running steps get {grace:g} s. Ctrl-C{'' if why else ' again'} ends it at once")
        orchestrator.request_stop()

    _stop_on_signals(request_stop, teller.restore if teller else lambda: None)
    if seconds is not None:
        over = "The time is up; started again, it goes on where it was. "
        timer = threading.Timer(seconds, request_stop, [over])
        timer.daemon = True
        timer.start()
    forge = _open_forge(project, services, once=until_idle)
    watcher = _open_watcher(services) if not until_idle else None
    control_room = open_control_room(
        project, services, orchestrator, forge.poke if forge else lambda: None, for_people=for_people
    )
    log.info("ready", repository=project.settings.git.repository_url, seconds=round(time.monotonic() - begun, 2))
    if teller:
        teller.begin()
    follower = teller or LogFollower(watch)
    finished = orchestrator.run()
    if forge:
        forge.close(last_look=until_idle)
    if watcher:
        watcher.close()
    if control_room:
        control_room.close()
    quiet = orchestrator.stop()
    log.info("stopped", unfinished_steps=not quiet)
    with suppress(MemoryStoreError):  # the log has it, too
        services.store.journal.log("orchestrator", "stopped")
    follower.stop()
    code = 0
    if until_idle:
        idle = orchestrator.idle_problem()
        code = _summary(services, project, idle, finished=finished, is_demo=is_demo)
    services.close()
    stop_tracing()
    if sender:
        sender.close(_LAST_ALERTS)
    sys.stdout.flush()
    os._exit(code)  # the engine's own threads are not daemonic and may still be inside a step


def _open_forge(project: Project, services: Services, *, once: bool) -> ForgeRunner | None:
    """Look at the forge from now on. `once`: who ends when nothing is left to do looks before that, and at the end."""
    if not project.settings.forge.provider:
        return None
    from owner.forge_runner import ForgeRunner  # for those who have a forge

    runner = ForgeRunner(project.settings, services.store, project.paths.state, services.wake.set)
    if once:
        runner.look()
    runner.start()
    return runner


def _open_watcher(services: Services) -> Watcher | None:
    """Watch what is live from now on."""
    if not services.settings.deployment.environments:
        return None
    from orchestrator.circle.watcher import Watcher  # for those who deploy

    watcher = Watcher(services)
    watcher.start()
    return watcher


def _have_model(project: Project, supervisor: Supervisor, *, for_people: bool) -> None:
    """Download the embedded model if it is used and not there yet."""
    settings = project.settings
    if not uses_embedded_model(settings.llm, settings.agents):
        return
    model = local_model(settings.llm)
    if not model_status(model).ready:
        log.info("fetching the embedded model, once", model=model.name, gigabytes=model.gigabytes or None)
        with supervisor.long_start(lambda: model_status(model).bytes_present, f"fetching the model {model.name}"):
            fetch_with_progress(model, quiet=not for_people)


def _stop_on_signals(request_stop: Callable[[], None], at_once: Callable[[], None]) -> None:
    """The first signal stops the daemon gracefully, the second one at once; no work is lost either way.

    A terminal that is closed, as by a connection that breaks, stops it gracefully, too; under nohup it goes on.
    """
    asked = threading.Event()
    terminals = [number for number in range(3) if os.isatty(number)]

    def hung_up(_: int, __: FrameType | None) -> None:
        for terminal in terminals:  # to write to it would fail from now on
            os.dup2(os.open(os.devnull, os.O_RDWR), terminal)
        if not asked.is_set():
            asked.set()
            request_stop()

    def handler(number: int, _: FrameType | None) -> None:
        if asked.is_set():
            at_once()
            os._exit(128 + number)
        asked.set()
        request_stop()

    signal.signal(signal.SIGTERM, handler)
    signal.signal(signal.SIGINT, handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, hung_up)


def _summary(services: Services, project: Project, problem: str, *, finished: bool, is_demo: bool) -> int:
    store = services.store
    tasks = list(reversed(store.tasks.select(limit=_MOST_SHOWN)))
    counts = store.tasks.count_by_status()
    landed, known = counts[TaskStatus.COMPLETED], sum(counts.values())
    if problem:
        fail(f"the CEO could not look for work: {problem}")
    if problem and not tasks:
        return EXIT_FAILED
    if not tasks and not finished:
        err.print("The daemon was stopped before it had looked for work.")
        return EXIT_FAILED
    if not tasks:
        err.print("There was nothing to do: no goal, no items in a backlog file, and nothing found to fix.")
        return 0
    err.print()
    err.print(task_table(store, tasks, Clock(store, runs=False)))
    err.print(f"\n{landed} of {count(known, 'task')} completed.")
    branch = services.git.branch.name()
    branch += "ID" if branch.endswith("/") else ""
    url = project.settings.git.repository_url
    unpushed = bool(services.git.landing.unpushed())
    pushed = project.settings.git.auto_push and not unpushed
    where = url if Path(url).exists() and pushed else str(project.paths.clone)
    if unpushed:
        why = next((str(task.result["push_error"]) for task in reversed(tasks) if task.result.get("push_error")), "")
        said = f": {why}" if why else f"; `{caller()} logs` shows why"
        err.print(f"Some of it is not pushed{said}. It is tried again by the next run.", markup=False, soft_wrap=True)
    hints = {}
    if last := next((task.id for task in reversed(tasks) if task.result.get("landed_commits")), ""):
        hints["The landed work:"] = f"git -C {shlex.quote(absolute(where))} log --stat {branch}"
        hints["The last change:"] = f"{caller()} task diff {last}"
        if is_demo:
            err.print("\nThe change that landed last:\n")
            show_diff(services.git.landing.task_diff(last))
            err.print()
    hints["All of one task:"] = f"{caller()} task show {tasks[-1].id}"
    if stopped_count(counts):
        hints["What needs you:"] = f"{caller()} approvals list"
    if is_demo:
        hints["Your repository:"] = f"{command()} init --repo PATH"
    hints["The full log:"] = shlex.quote(str(project.paths.logs / "agents.log"))
    for name, line in hints.items():
        err.print(f"{name:<17}{line}", markup=False, soft_wrap=True)
    unfinished = landed < known or not finished or unpushed if not is_demo else not landed
    return EXIT_FAILED if problem or unfinished else 0
