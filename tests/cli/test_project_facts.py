"""`project show` and `project set-up`: what is known of a repository, read without a daemon, and overridden."""

from __future__ import annotations

import json

from typer.testing import CliRunner, Result

from cli import app
from orchestrator.services import NO_SETUP, SETUP_MEMORY, keep_setup
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import House, git
from tests.orchestrator.scripts import team

__all__ = ["make_house"]

FILES = {
    "tests/test_more.py": "import socket\n\n\ndef test_wrong() -> None:\n    assert 1 == 2\n\n\n"
    "def test_port() -> None:\n    socket.create_connection(('127.0.0.1', 5432))\n",
    "docker-compose.yml": "services:\n  db: {image: 'postgres:16'}\n  web: {build: .}\n",
    ".github/workflows/ci.yml": "jobs:\n  test:\n    services:\n      cache: {image: 'redis:7'}\n",
    "CONTRIBUTING.md": "Be kind.\n",
    "web/app.ts": "export const x = 1;\n",
}


def look(house: House, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--config", str(house.config), "project", *arguments])


def shown(house: House) -> dict[str, object]:
    done = look(house, "show", "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_what_is_known_is_shown_without_a_daemon(make_house: MakeHouse) -> None:
    house, _ = make_house(team(), files=FILES, git={"landing": "integration"})
    for number in range(3):
        git(house.repository, "commit", "-q", "--allow-empty", "-m", f"fix(calc): number {number} of them")
    unknown = look(house, "show")
    assert unknown.exit_code == 2
    assert "does not know the repository" in unknown.stderr
    assert look(house, "show", "--repo", str(house.folder / "nowhere")).exit_code == 2
    assert not house.paths.state.exists(), "asking leaves nothing behind"

    with house.store() as store:
        store.journal.log("qa", "flaky tests", None, tests=["tests/test_calc.py::test_double"])
    before = shown(house)
    assert "there is no clone yet" in str(before["notes"])
    assert before["setup_command"] == {"value": "", "source": "the project's dependency files"}
    assert house.cli("facts", "--kind", "failing_tests").returncode == 0  # it clones and runs the suite

    known = shown(house)
    assert (known["base_branch"], known["landing_branch"]) == ("main", "agents/integration")
    assert known["languages"] == {"python": 3, "typescript": 1}
    assert known["test_paths"] == {"tests": 3}
    assert known["test_command"] == {"value": "pytest", "source": "the test framework"}
    assert known["services"] == [
        {"value": "cache (redis:7)", "source": ".github/workflows/ci.yml"},
        {"value": "db (postgres:16)", "source": "docker-compose.yml"},
    ]
    suite, environment = known["baseline"], known["environment"]
    assert isinstance(suite, dict)
    assert isinstance(environment, dict)
    assert suite["passed"] == 1
    assert suite["failed"] == ["tests/test_more.py::test_wrong", "tests/test_more.py::test_port"]
    assert environment["size_bytes"] > 1_000_000
    assert known["flaky"] == ["tests/test_calc.py::test_double"]
    assert "test_port needs something that the sandbox does not have: ConnectionRefused" in str(known["missing"])
    assert ".github/**" in list(known["protected"])  # type: ignore[call-overload]
    assert known["conventions"] == [
        "CONTRIBUTING.md",
        "commits: conventional commits (feat: …, fix: …), beginning with a small letter, usually 27 characters (of 4)",
    ]
    text = look(house, "show").stdout
    assert "1 tests pass, 2 fail before the work" in text
    assert "tests/test_more.py::test_wrong" in text


def test_the_command_that_sets_the_project_up_can_be_given_and_forgotten(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    with house.store() as store:
        keep_setup(store, "make deps")
        store.journal.remember(SETUP_MEMORY, "setup tried for abc", "t-1")
        store.journal.remember(SETUP_MEMORY, NO_SETUP, "Start a server.")
    assert shown(house)["setup_command"] == {"value": "make deps", "source": "found by the team"}
    assert "make deps (found by the team)" in look(house, "set-up").stdout
    assert look(house, "set-up", "--command", "make all", "--forget").exit_code == 2
    assert look(house, "set-up", "--command", "make all").exit_code == 0
    assert shown(house)["setup_command"] == {"value": "make all", "source": "given by `project set-up --command`"}
    assert shown(house)["missing"] == [], "what could not be set up before is over"
    assert "Forgotten" in look(house, "set-up", "--forget").stdout
    assert "Nothing to forget" in look(house, "set-up", "--forget").stdout
    with house.store() as store:
        assert store.journal.memories(SETUP_MEMORY) == []
        store.journal.remember(SETUP_MEMORY, NO_SETUP, "Start a server.")
    assert shown(house)["missing"] == [{"what": "the team could not set the project up", "remedy": "Start a server."}]
    house.write_config(testing={"setup_command": "make own"})
    assert shown(house)["setup_command"] == {"value": "make own", "source": "testing.setup_command in config.yaml"}
    assert "still comes first: make own" in look(house, "set-up", "--command", "x").stdout
