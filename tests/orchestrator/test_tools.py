"""What each tool returns and what it refuses, on a folder of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import JsonValue

from agents import UnusableAnswer
from agents.tools import Action, action_of, tools
from file_system import (
    FileManager,
    FileMissing,
    PathRefused,
    ProtectedPath,
    SearchRefused,
    SyntaxProblem,
    apply_edit,
    outline_text,
)
from llm import ToolCall
from orchestrator.workbench.file_tools import (
    CreateFile,
    DeleteFile,
    Edit,
    EditFile,
    ListFiles,
    MoveFile,
    ReadFile,
    Search,
)
from orchestrator.workbench.protected import DEPENDENCY_FILES, protected_tests
from orchestrator.workbench.tools import TOOLS, offered, tools_of


def edit(path: str, old: str, new: str) -> EditFile:
    return EditFile(path=path, edits=[Edit(old=old, new=new)])


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
        edit(path, "PASSWORD=none", "x").change(files)
    assert Search(text="PASSWORD").look(files) == "nothing found"
    assert path not in ListFiles().look(files)


def test_links_to_what_is_no_secret_are_read(files: FileManager) -> None:
    (files.workspace_path / "short.py").symlink_to("src/app.py")
    assert ReadFile(path="short.py").look(files) == ReadFile(path="src/app.py").look(files)


def test_search_finds_text_and_expressions_but_no_secrets(files: FileManager) -> None:
    assert Search(text="run").look(files) == "src/app.py:1: def run():\ntests/test_app.py:1: def test_run(): ..."
    assert Search(text=r"^\s+[ab] =", regex=True, files="src/**").look(files) == (
        "src/app.py:2:     a = 1\nsrc/app.py:3:     b = 1"
    )
    assert (
        Search(text="b = 1", around=1).look(files) == "## src/app.py\n2\t    a = 1\n3\t    b = 1\n4\t    return a + b"
    )
    assert Search(text="[ab] = 1$", regex=True, around=1, files="src/app.py").look(files).count("b = 1") == 1
    assert Search(text="a.=").look(files) == "nothing found"
    assert Search(text=" = ").look(files).endswith("[only the first 60 are shown; look for less]")
    with pytest.raises(SearchRefused, match="no regular expression"):
        Search(text="(", regex=True).look(files)


def test_a_pattern_made_to_take_for_ever_takes_no_time(files: FileManager) -> None:
    (files.workspace_path / "evil.txt").write_text("a" * 5000 + "b\n")
    assert Search(text="(a|aa|a?a)+(a|aa)+c", regex=True, files="evil.txt").look(files) == "nothing found"


def test_an_edit_changes_the_one_place_and_says_where(files: FileManager) -> None:
    told = edit("src/app.py", "a = 1", "a = 2").change(files)
    assert told == "changed at line 2"
    assert edit("src/app.py", "", "\n\ndef go(): ...").change(files) == "changed at line 5"
    assert files.read_file("src/app.py").endswith("    return a + b\n\n\ndef go(): ...\n")
    edit("windows.txt", "one\ntwo", "one\nthree").change(files)
    assert files.read_file("windows.txt") == "one\r\nthree\r\n"


@pytest.mark.parametrize(
    ("path", "old", "new", "error", "says"),
    [
        ("src/app.py", "= 1", "= 2", UnusableAnswer, "stands 2 times.*begins at lines 2, 3"),
        ("src/app.py", "return a+b", "return 1", UnusableAnswer, "stands nowhere(.|\\n)*4     return a \\+ b"),
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
        edit(path, old, new).change(files)
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
    return action_of(ToolCall("c1", name, text), TOOLS)


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
    common = ["list_files", "read_file", "search", "outline"]
    writing = ["edit_file", "create_file", "move_file", "delete_file", "run_tests", "run", "ask_owner"]
    assert list(tools_of("qa")) == [*common, *writing, "finish_tests", "already_done", "keep_test"]
    assert list(tools_of("developer")) == [*common, *writing, "dispute_test", "finish"]
    assert list(tools_of("tech_lead")) == [*common, "run_tests", "run", "more_tools", "verdict"]
    assert all(tool.description for tool in tools(TOOLS))
    for role in ("qa", "developer", "tech_lead"):
        assert (
            len(json.dumps([[tool.name, tool.description, tool.parameters] for tool in tools(tools_of(role))])) < 4300
        )
    told = json.dumps([tool.parameters for tool in tools(TOOLS)])
    assert "$ref" not in told and '"title": "' not in told and "null" not in told
    assert '"old": {"description"' in told and '"enum": ["feature"' in told, "parts stand where they are used"


def test_a_reviewer_of_a_small_change_is_told_of_other_tools_when_it_asks() -> None:
    actions, first = tools_of("tech_lead"), ("more_tools", "verdict")
    assert [tool.name for tool in offered(actions, first, ())] == ["more_tools", "verdict"]
    every = [name for name in actions if name != "more_tools"]
    for called in (["more_tools"], ["verdict", "more_tools"], ["read_file"]):
        assert [tool.name for tool in offered(actions, first, called)] == every
    assert [tool.name for tool in offered(actions, first, ["verdict"])] == ["more_tools", "verdict"]
    assert [tool.name for tool in offered(actions, (), ())] == every


def test_an_edit_that_differs_in_white_space_alone_is_made_and_said(files: FileManager) -> None:
    told = edit("src/app.py", "a  =  1\nb = 1\n", "a = 1\nb = 3\n").change(files)
    assert "differs from `old` in white space (lines 2 to 3)" in told
    assert files.read_file("src/app.py") == "def run():\n    a = 1\n    b = 3\n    return a + b\n"


@pytest.mark.parametrize(
    ("text", "old", "new", "after"),
    [
        ("if x:\n\tgo()\n", "if x:\n    go()\n", "if x:\n    stop()\n", "if x:\n    stop()\n"),
        ("a = 1   \nb = 2\n", "a = 1\nb = 2\n", "a = 2\nb = 2\n", "a = 2\nb = 2\n"),
        ("class A:\n    def f(self):\n        return 1\n", "def f(self):\n    return 1", "def f(self):\n    return 2",
         "class A:\n    def f(self):\n        return 2\n"),
        ("x = 1", "x  = 1\n", "x = 2\n", "x = 2"),
        ("x = 1\r\ny = 1\r\n", "x =  1\ny = 1", "x = 2\ny = 2", "x = 2\r\ny = 2\r\n"),
    ],
)  # fmt: skip
def test_what_is_written_keeps_the_indentation_of_the_place(text: str, old: str, new: str, after: str) -> None:
    assert apply_edit("a.py", text, old, new).text == after


def test_several_edits_are_all_made_or_none(files: FileManager) -> None:
    both = [Edit(old="a = 1", new="a = 5"), Edit(old="b = 1", new="b = 6")]
    assert EditFile(path="src/app.py", edits=both).change(files) == "changed at line 2, 3"
    before = files.read_file("src/app.py")
    with pytest.raises(UnusableAnswer, match="edit 2"):
        EditFile(path="src/app.py", edits=[Edit(old="a = 5", new="a = 7"), Edit(old="c", new="d")]).change(files)
    assert files.read_file("src/app.py") == before


def test_files_are_moved_and_deleted(files: FileManager) -> None:
    assert MoveFile(path="src/app.py", to="src/main.py").change(files) == "src/app.py is now src/main.py"
    assert not files.exists("src/app.py")
    with pytest.raises(UnusableAnswer, match="is there already"):
        MoveFile(path="src/main.py", to="src/long.py").change(files)
    assert DeleteFile(path="src/main.py").change(files) == "src/main.py was deleted"
    for tool in (MoveFile(path="tests/test_app.py", to="x.py"), DeleteFile(path=".env"), MoveFile(path=".env", to="e")):
        with pytest.raises(PathRefused):
            tool.change(files)


def test_an_outline_shows_what_a_file_defines() -> None:
    assert outline_text("a.py", "class A:\n    def f(self, x: int) -> int: ...\n\n\ndef g(): ...\n") == (
        "1\tclass A\n2\t    def f(self, x: int) -> int\n5\tdef g()"
    )
    assert outline_text("notes.txt", "class A: ...") == ""
