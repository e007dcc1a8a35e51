"""What each tool returns and what it refuses, on a folder of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import JsonValue

from agents import UnusableAnswer
from agents.tool_developer import Action, action_of, tools
from file_system import (
    BlockMismatch,
    FileManager,
    FileMissing,
    PathRefused,
    ProtectedPath,
    SearchRefused,
    SyntaxProblem,
)
from llm import ToolCall
from orchestrator.workbench.protected import DEPENDENCY_FILES, protected_tests
from orchestrator.workbench.tools import ACTIONS, CreateFile, EditFile, ListFiles, ReadFile, Search


@pytest.fixture
def files(tmp_path: Path) -> FileManager:
    root = tmp_path / "root"
    for path, text in {
        "src/app.py": "def run():\n    a = 1\n    b = 1\n    return a + b\n",
        "src/long.py": "".join(f"x{number} = {number}\n" for number in range(1000)),
        "src/one_line.json": "[" + "1," * 20_000 + "1]",
        "tests/test_app.py": "def test_run(): ...\n",
        ".env": "PASSWORD=run\n",
        "certs/server.key": "run\n",
        "windows.txt": "one\r\ntwo\r\n",
        "pyproject.toml": "[project]\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode())
    (tmp_path / "outside.py").write_text("run\n")
    (root / "link.py").symlink_to(tmp_path / "outside.py")
    return FileManager(root, protected=[*protected_tests(), *DEPENDENCY_FILES])


def test_files_are_listed_or_counted_and_secrets_are_not_there(files: FileManager) -> None:
    assert ListFiles(pattern="src/*.py").look(files) == "src/app.py\nsrc/long.py"
    everything = ListFiles().look(files)
    assert ".env" not in everything
    assert "server.key" not in everything
    assert ListFiles(pattern="*.rs").look(files) == "no file matches *.rs"
    for number in range(201):
        (files.workspace_path / f"many{number}.txt").touch()
    assert "./ (203 files)" in ListFiles().look(files)


def test_reading_is_by_ranges_and_bounded(files: FileManager) -> None:
    assert ReadFile(path="src/app.py", first_line=2, last_line=3).look(files) == (
        "2\t    a = 1\n3\t    b = 1\n[4 lines in all; read on with first_line=4]"
    )
    whole = ReadFile(path="src/long.py").look(files)
    assert whole.endswith("400\tx399 = 399\n[1000 lines in all; read on with first_line=401]")
    assert ReadFile(path="src/long.py", first_line=2000).look(files) == "src/long.py has only 1000 lines"
    assert len(ReadFile(path="src/one_line.json").look(files)) < 13_000
    for path in (".env", "certs/server.key", "../outside.py", ".git/config"):
        with pytest.raises(PathRefused):
            ReadFile(path=path).look(files)
    with pytest.raises((PathRefused, FileMissing)):
        ReadFile(path="link.py").look(files)


@pytest.mark.parametrize("path", ["notes.txt", "two.txt"])
def test_a_secret_is_not_shown_under_another_name(files: FileManager, path: str) -> None:
    (files.workspace_path / "notes.txt").symlink_to(".env")
    (files.workspace_path / "two.txt").symlink_to("notes.txt")
    with pytest.raises(PathRefused, match="secrets"):
        ReadFile(path=path).look(files)
    with pytest.raises(PathRefused, match="secrets"):  # its error message would quote lines of the file
        EditFile(path=path, old="PASSWORD=none", new="x").change(files)
    assert Search(text="PASSWORD").look(files) == "nothing found"
    assert path not in ListFiles().look(files)


def test_links_to_what_is_no_secret_are_read(files: FileManager) -> None:
    (files.workspace_path / "short.py").symlink_to("src/app.py")
    assert ReadFile(path="short.py").look(files) == ReadFile(path="src/app.py").look(files)


def test_search_finds_text_and_expressions_but_no_secrets(files: FileManager) -> None:
    assert Search(text="run").look(files) == "src/app.py:1: def run():\ntests/test_app.py:1: def test_run(): ..."
    assert Search(text=r"^\s+[ab] =", regex=True, files="src/**").look(files) == (
        "src/app.py:2: a = 1\nsrc/app.py:3: b = 1"
    )
    assert Search(text="a.=").look(files) == "nothing found"
    assert Search(text=" = ").look(files).endswith("[only the first 60 are shown; look for less]")
    with pytest.raises(SearchRefused, match="no regular expression"):
        Search(text="(", regex=True).look(files)


def test_a_pattern_made_to_take_for_ever_takes_no_time(files: FileManager) -> None:
    (files.workspace_path / "evil.txt").write_text("a" * 5000 + "b\n")
    assert Search(text="(a|aa|a?a)+(a|aa)+c", regex=True, files="evil.txt").look(files) == "nothing found"


def test_an_edit_changes_the_one_place_and_shows_it(files: FileManager) -> None:
    told = EditFile(path="src/app.py", old="a = 1", new="a = 2").change(files)
    assert told == "changed; src/app.py now reads\n1\tdef run():\n2\t    a = 2\n3\t    b = 1\n4\t    return a + b"
    EditFile(path="windows.txt", old="one\ntwo", new="one\nthree").change(files)
    assert files.read_file("windows.txt") == "one\r\nthree\r\n"


@pytest.mark.parametrize(
    ("path", "old", "new", "error", "says"),
    [
        ("src/app.py", "= 1", "= 2", UnusableAnswer, "stands 2 times"),
        ("src/app.py", "return a+b", "return 1", BlockMismatch, "4     return a \\+ b"),
        ("src/app.py", "a = 1", "a = 1", UnusableAnswer, "nothing was changed"),
        ("src/app.py", "a = 1", "a = (", SyntaxProblem, "nothing was changed"),
        ("src/none.py", "a", "b", FileMissing, "no such file"),
        ("tests/test_app.py", "...", "return", ProtectedPath, "protected"),
        ("pyproject.toml", "[project]", "[project]\nx = 1", ProtectedPath, "protected"),
        (".env", "run", "x", PathRefused, "secrets"),
        ("../outside.py", "run", "x", PathRefused, "goes up"),
    ],
)
def test_an_edit_that_is_refused_changes_nothing(
    files: FileManager, path: str, old: str, new: str, error: type[Exception], says: str
) -> None:
    before = {found: (files.workspace_path / found).read_bytes() for found in files.find_files("**")}
    with pytest.raises(error, match=says):
        EditFile(path=path, old=old, new=new).change(files)
    assert {found: (files.workspace_path / found).read_bytes() for found in files.find_files("**")} == before


def test_files_are_made_but_not_over_others(files: FileManager) -> None:
    assert CreateFile(path="src/new.py", content="x = 1").change(files) == "src/new.py was made"
    assert files.read_file("src/new.py") == "x = 1\n"
    with pytest.raises(UnusableAnswer, match="change it with edit_file"):
        CreateFile(path="src/app.py", content="x = 1").change(files)
    for path in ("tests/test_more.py", "conftest.py", "requirements-dev.txt", "a/../../x.py", "deploy.pem"):
        with pytest.raises(PathRefused):
            CreateFile(path=path, content="x = 1").change(files)


def call(name: str, arguments: dict[str, JsonValue] | str) -> Action:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return action_of(ToolCall("c1", name, text), ACTIONS)


def test_arguments_are_checked_and_what_is_wrong_is_told() -> None:
    assert call("read_file", {"path": "a.py"}) == ReadFile(path="a.py")
    assert call("list_files", "") == ListFiles()
    wrong: list[tuple[str, dict[str, JsonValue] | str, str]] = [
        ("shell", {"command": "ls"}, "there is no tool 'shell'; there are: list_files, read_file"),
        ("read_file", {}, "path: Field required"),
        ("read_file", {"path": "a", "first_line": 0}, "first_line: Input should be greater than or equal to 1"),
        ("read_file", {"path": "a", "sudo": True}, "sudo: Extra inputs are not permitted"),
        ("read_file", '{"path": "a', "Invalid JSON"),
        ("run_tests", {"tests": ["a"] * 21}, "at most 20 items"),
    ]
    for name, arguments, says in wrong:
        with pytest.raises(UnusableAnswer, match=says):
            call(name, arguments)


def test_what_models_are_told_of_the_tools_is_short_and_whole() -> None:
    assert [tool.name for tool in tools(ACTIONS)] == [
        "list_files", "read_file", "search", "edit_file", "create_file", "run_tests", "finish"
    ]  # fmt: skip
    assert all(tool.description and tool.parameters["additionalProperties"] is False for tool in tools(ACTIONS))
    assert len(json.dumps([tool.parameters for tool in tools(ACTIONS)])) < 3000
