"""What a command imports before it does anything: most of its time, and all of it for those that only look."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cli.app import COMMANDS, command_of
from deployment.healthcheck import main as healthcheck
from monitoring import daemon_pid
from monitoring.daemon_lock import LOCK, hold, is_held
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.scripts import team

__all__ = ["make_house"]

ROOT = Path(__file__).parents[2]
HEAVY = {"orchestrator", "agents", "testing", "llm", "git_ops", "file_system", "dbos", "openai", "anthropic", "git"}
UNUSED = {"structlog", "alembic", "pygments", "apprise", "httpx", "jinja2", "sqlalchemy.dialects.postgresql"}
"""What no command needs that only looks."""
LIBRARIES = {
    "pydantic_ai",
    "tenacity",
    "genai_prices",
    "griffe",
    "junitparser",
    "tree_sitter",
    "psycopg",
    "rich.progress",
}
"""What agents need for their work, and nobody for their names."""
_LOOK = """
import sys
from cli.app import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
print("IMPORTED", *sorted({name.partition(".")[0] for name in sys.modules} | {*sys.modules}))
"""


def imported(*words: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", _LOOK, *words], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.rpartition("IMPORTED")[2].split())


def test_help_imports_nothing_of_ours_but_itself() -> None:
    assert not imported("--help") & (HEAVY | {"config", "memory", "monitoring", "sqlalchemy", "pydantic"})


@pytest.mark.parametrize(
    "command", ["status", "logs", "costs", "task list", "task show {id}", "approvals list", "alerts --help"]
)
def test_a_command_that_looks_imports_no_more_than_the_database(make_house: MakeHouse, command: str) -> None:
    house, _ = make_house(team())
    task_id = house.submit()
    words = command.format(id=task_id).split()
    assert not imported("--config", str(house.config), *words) & (HEAVY if "--help" in words else HEAVY | UNUSED)


def test_a_list_of_agents_and_models_imports_none_of_what_they_work_with(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    house.submit()
    needed = {"agents", "llm"}
    for words in (["agents", "list"], ["costs", "--by", "limit"]):
        assert imported("--config", str(house.config), *words) & ((HEAVY | UNUSED) - needed | LIBRARIES) == set()


_COLLECTING = """
import gc, sys
import main
def is_collecting():
    print("COLLECTING", gc.isenabled(), gc.get_freeze_count() > 100)
import cli.running
sys.argv = ["main.py", *sys.argv[1:]]
cli.running.run = lambda ctx: is_collecting()
if sys.argv[1:]:
    import cli.status, cli.app
    real = cli.status.opened
    def opened(*given, **named):
        is_collecting()
        return real(*given, **named)
    cli.status.opened = opened
main.main()
"""


@pytest.mark.parametrize("words", [[], ["status"]])
def test_what_was_imported_is_not_looked_through_for_garbage_and_what_a_command_makes_is(
    make_house: MakeHouse, words: list[str]
) -> None:
    house, _ = make_house(team())
    command = [sys.executable, "-c", _COLLECTING, "--config", str(house.config), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert "COLLECTING True True" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_says_of_itself(name: str) -> None:
    summary = COMMANDS[name].summary
    assert summary and " ".join(str(command_of(name).help).split()).startswith(summary)


def test_who_looks_for_the_daemon_takes_nothing_from_it(tmp_path: Path) -> None:
    state = tmp_path / "project"
    state.mkdir()
    assert daemon_pid(state) is None and healthcheck(str(tmp_path)) == 1
    (state / LOCK).write_text("4711")
    assert daemon_pid(state) is None and healthcheck(str(tmp_path)) == 1
    with (state / LOCK).open("r+") as daemon, (state / LOCK).open() as reader:
        assert not is_held(reader.fileno())
        hold(daemon.fileno())  # though a reader has just looked, and has the file open
        assert is_held(reader.fileno()) and not is_held(daemon.fileno())
        assert daemon_pid(state) == 4711 and healthcheck(str(tmp_path)) == 0
        with (state / LOCK).open("r+") as second, pytest.raises(BlockingIOError):
            hold(second.fileno())
    assert daemon_pid(state) is None


@pytest.mark.parametrize("words", [("--help",), ("config", "path"), ("config", "schema")])
def test_a_reader_that_is_gone_ends_a_command_without_a_word(words: tuple[str, ...]) -> None:
    command = shlex.join([sys.executable, str(ROOT / "main.py"), *words])
    shell = f"{command} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("141", "")
