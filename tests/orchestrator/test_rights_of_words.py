"""What words may do: texts and annotations that run nothing, hooks in fixtures, files that others obey."""

from __future__ import annotations

import pytest

from agents import UnusableAnswer
from agents.tools import action_of
from config import Settings
from file_system import matching_pattern, same_but_documentation
from llm import ToolCall
from memory import TaskKind, TaskStatus
from orchestrator.coding.tests_judged import hooks_in
from orchestrator.workbench.protected import held_back, not_for_qa, protected_paths
from orchestrator.workbench.tools import TOOLS
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.players import DEVELOPER, TASK, WITH_TOOLS, Call, players, results, role_of

__all__ = ["make_house"]

PLAIN = 'def f(a, b):\n    """Add."""\n    return a + b\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (PLAIN, PLAIN.replace("Add.", "Add two numbers.")),
        (PLAIN, PLAIN.replace("(a, b)", '(a: int, b: "list[int] | None") -> typing.Any')),
        ("@property\ndef f(self): ...\n", "@property\ndef f(self) -> int: ...\n"),
        (PLAIN, "# Arithmetic.\n" + PLAIN),
    ],
)
def test_words_alone_are_documentation(before: str, after: str) -> None:
    assert same_but_documentation("m.py", before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (PLAIN, PLAIN.replace("(a, b)", '(a, b) -> __import__("os").system("id")')),
        (PLAIN, PLAIN.replace("(a, b)", "(a: globals().update(min=max), b)")),
        (PLAIN, PLAIN.replace("(a, b)", "(a: [x for x in ()], b)")),
        (PLAIN, PLAIN.replace("(a, b)", "(a: (y := 1), b)")),
        ("@f.register\ndef g(x: int): ...\n", "@f.register\ndef g(x: str): ...\n"),
        ("@app.get('/')\ndef g(x: int): ...\n", "@app.get('/')\ndef g(x: str): ...\n"),
        (f"{PLAIN}TYPES = f.__annotations__\n", f"{PLAIN}TYPES = f.__annotations__\n".replace("(a,", "(a: int,")),
        (f"{PLAIN}print(__doc__)\n", f'"""Usage: x."""\n{PLAIN}print(__doc__)\n'),
        ("NAME = 'café'\n", "# -*- coding: latin-1 -*-\nNAME = 'café'\n"),
    ],
)
def test_words_that_do_something_are_not(before: str, after: str) -> None:
    assert not same_but_documentation("m.py", before, after)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (".woodpecker.yml", "feature"), (".gitea/workflows/x.yml", "feature"), (".husky/pre-commit", "bugfix"),
        ("AGENTS.md", "documentation"), ("sub/CODEOWNERS", "feature"), ("Makefile", "feature"),
        ("mypy.ini", "feature"), ("ruff.toml", "refactoring"), ("Pipfile", "feature"), ("requirements.in", "feature"),
        ("LICENSE", "documentation"), ("prompts/system.md", "documentation"), ("data/words.txt", "documentation"),
        ("calc.py", "chore"), ("calc.py", "configuration"), ("scripts/x.sh", "chore"), ("app.yaml", "feature"),
        ("Procfile", "feature"), ("scripts/deploy.sh", "bugfix"), (".windsurfrules", "feature"),
        ("build.rs", "feature"),
        ("web/vite.config.ts", "feature"), (".yarn/plugins/x.cjs", "bugfix"), ("src/.hidden.py", "refactoring"),
        ("terraform/main.tf", "feature"), ("tsconfig.json", "bugfix"),
    ],
)  # fmt: skip
def test_what_others_run_read_or_obey_lands_with_approval_alone(path: str, kind: str) -> None:
    assert held_back([path], kind) == [path]


@pytest.mark.parametrize(
    ("path", "kind"),
    [("calc.py", "feature"), ("calc.py", "documentation"), ("README.md", "documentation"), ("docs/a.rst", "chore"),
     ("CHANGELOG.md", "configuration"), ("tests/data/x.json", "feature"), ("src/pkg/page.html", "feature"),
     ("src/pkg/py.typed", "feature"), ("web/app.tsx", "bugfix"), ("src/pkg/schema.json", "bugfix")],
)  # fmt: skip
def test_other_work_lands_by_its_proofs(path: str, kind: str) -> None:
    assert held_back([path], kind) == []


def test_what_a_task_names_is_open_but_for_what_is_listed() -> None:
    task = "Read the port from app.yaml, and let Makefile and conf.d be."
    assert held_back(["app.yaml", "Makefile", "deploy/conf", "my-app.yaml"], "feature", task) == [
        "Makefile", "deploy/conf", "my-app.yaml",
    ]  # fmt: skip


@pytest.mark.parametrize("path", ["requirements-test.txt", "tests/requirements.txt", "tests/setup.py", "tests/uv.lock"])
def test_qa_adds_no_dependencies(path: str) -> None:
    assert not_for_qa(path)


@pytest.mark.parametrize(
    "path", ["requirements/dev.in", "a/requirements/dev.txt", "dev-requirements.in", "pylock.toml", "pylock.dev.toml"]
)
def test_a_developer_adds_none_in_its_own_work(path: str) -> None:
    assert matching_pattern(path, protected_paths(Settings(), TaskKind.FEATURE))
    assert not matching_pattern(path, protected_paths(Settings(), TaskKind.CONFIGURATION))
    assert not matching_pattern("src/requirements/parser.py", protected_paths(Settings(), TaskKind.FEATURE))


def test_hooks_of_fixtures_are_known_by_their_names() -> None:
    hooks = (
        "import pytest\nimport pytest_asyncio\nfrom x import pytest_runtest_makereport as mine\n"
        "from x import pytest_configure\ncollect_ignore = []\npytest_plugins = ['a']\n\n"
        "class A:\n    def pytest_pyfunc_call(self): ...\n\n@pytest.fixture\ndef pet(): ...\n"
    )
    assert hooks_in(hooks) == {"pytest_configure", "collect_ignore", "pytest_plugins", "pytest_pyfunc_call"}


@pytest.mark.parametrize("arguments", ['{"command": "true\\u0000id"}', '{"command": "echo \\ud800"}'])
def test_arguments_that_nothing_takes_are_refused(arguments: str) -> None:
    with pytest.raises(UnusableAnswer):
        action_of(ToolCall("1", "run", arguments), TOOLS)


def test_a_command_does_not_see_what_the_tools_hide(make_house: MakeHouse) -> None:
    looks: tuple[Call, ...] = (("run", {"command": "cat .env; ls -a"}), ("read_file", {"path": "notes.md"}))
    house, server = make_house(
        players(developer=(looks, *DEVELOPER)),
        files={".env": "TOKEN=hunter2-canary\n", "notes.md": "password = 'zanzibar-canary-111'\n"},
        llm=WITH_TOOLS,
    )
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    said = [request for request in server.requests if role_of(request) == "developer"][1]
    assert "No such file" in results(said) and "canary" not in results(said)
    stored = b"".join(path.read_bytes() for path in house.paths.state.glob("*.db*"))
    assert b"zanzibar" not in stored
