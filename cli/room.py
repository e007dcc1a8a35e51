"""The control room, as the daemon opens it and as the owner comes in: `open`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import caller, choice_of, fail, out
from cli.project import Project, opened, start_command
from monitoring import daemon_pid, get_logger
from monitoring.errors import KnownError
from owner.way_in import announced, make_link

if TYPE_CHECKING:
    from api import ControlRoom
    from orchestrator import Services, TaskOrchestrator

log = get_logger(__name__)


def open_control_room(
    project: Project,
    services: Services,
    orchestrator: TaskOrchestrator,
    poke_forge: Callable[[], None],
    *,
    for_people: bool,
) -> ControlRoom | None:
    """Serve the control room; when that is not possible the daemon works without it, and says what to do."""
    chosen = project.settings.api
    if not chosen.enabled:
        return None
    from api import ControlRoom  # its libraries are for the daemon only

    try:
        room = ControlRoom(
            project.settings,
            project.paths,
            wake=services.wake.set,
            running=orchestrator.running,
            config=project.config,
            poke_forge=poke_forge,
        )
    except (KnownError, OSError) as problem:
        told = f"the control room is closed: {chosen.host}:{chosen.port} cannot be used ({problem})"
        remedy = f"`{caller()} config set api.port PORT` names another port, api.enabled: false does without it"
        log.warning(f"{told}; {remedy}")
        if for_people:
            out.print(f"{told}; {remedy}", style="yellow", markup=False, soft_wrap=True)
        return None
    services.store.journal.on_line = room.hub.poke
    log.info("the control room is open", address=room.address)
    if for_people:
        out.print(f"The control room: {room.address} (`{caller()} open` signs you in)", markup=False, soft_wrap=True)
    return room


def open_room(
    ctx: typer.Context,
    show: Annotated[
        bool, typer.Option("--show", help="Only print the address, for a browser on another machine.")
    ] = False,
) -> None:
    """Open the control room in the browser, signed in. The address works once, within ten minutes."""
    with opened(choice_of(ctx), checks_names=False) as (project, store):
        address = announced(project.paths.state)
        if daemon_pid(project.paths.state) is None:
            raise fail(f"no daemon runs there; start it with: {start_command(project, choice_of(ctx))}")
        if not address:
            why = "api.enabled is false" if not project.settings.api.enabled else f"see `{caller()} logs` for why"
            raise fail(f"the daemon runs without a control room ({why})")
        link = make_link(store, address)
    if show or not _browser(link):
        out.print(link, markup=False, soft_wrap=True)
    else:
        out.print(f"{address} is opened in your browser.", markup=False, soft_wrap=True)


def _browser(link: str) -> bool:
    """Whether a browser of this machine's screen opens it: where there is none, Python would take one for terminals."""
    import webbrowser

    has_screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    return has_screen and sys.stdout.isatty() and webbrowser.open(link)
