"""The real tasks and their oracle, without any library: what is written, read, and answered."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest
from pydantic import JsonValue, ValidationError

from bench.real.hand import GIVES_UP
from bench.real.mistakes import Mistakes
from bench.real.oracle import Oracle
from bench.real.real_tasks import Edit, FileChange, Kind, Look, RealTask, UnknownTask, apply, read_libraries, read_tasks
from bench.real.sources import outcomes_of

CHANGE = FileChange(path="m.py", edits=(Edit(old="def f():\n    return 1\n", new="def f():\n    return 2\n"),))
TEST = FileChange(path="tests/test_m.py", content="from m import f\n\n\ndef test_f():\n    assert f() == 2\n")


def task(kind: Kind = "bugfix", **more: object) -> RealTask:
    values = {
        "id": "t", "library": "lib", "kind": kind, "title": "f is 2", "description": "f() should be 2.", "link": "x",
        "look": (Look(path="m.py", first_line=1, last_line=9),), "tests": (TEST,), "change": (CHANGE,),
        "summary": "f is 2.", "commit_message": "Fix f", "judge": "",
    }  # fmt: skip
    return RealTask.model_validate({**values, **more})


# -- the tasks -------------------------------------------------------------------------------------------------------


def test_there_are_forty_tasks_from_fifteen_libraries_of_every_kind() -> None:
    tasks, libraries = read_tasks(), read_libraries()
    assert len(tasks) >= 40
    assert {each.library for each in tasks} <= set(libraries)
    assert len({each.library for each in tasks}) >= 15
    assert {each.kind for each in tasks} == {
        "feature", "bugfix", "refactoring", "tests", "documentation", "configuration", "performance", "chore",
    }  # fmt: skip


def test_every_task_has_a_change_or_tests_and_a_judge_that_compiles() -> None:
    for each in read_tasks():
        assert each.change or each.kind == "tests", each.id
        assert each.tests or each.kind not in ("feature", "bugfix"), each.id
        compile(each.judge, each.id, "exec")


def test_an_unknown_task_is_an_error() -> None:
    with pytest.raises(UnknownTask, match="nothing-like-it"):
        read_tasks(["nothing-like-it"])


def test_a_change_is_one_thing() -> None:
    with pytest.raises(ValidationError, match="give one of"):
        FileChange(path="a", content="x", delete=True)


def test_changes_are_made(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("def f():\n    return 1\n")
    (tmp_path / "old.txt").write_text("x")
    (tmp_path / "gone.txt").write_text("x")
    apply(
        [CHANGE, TEST, FileChange(path="old.txt", move_to="a/new.txt"), FileChange(path="gone.txt", delete=True)],
        tmp_path,
    )
    assert (tmp_path / "m.py").read_text() == "def f():\n    return 2\n"
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["a/new.txt", "m.py", "tests/test_m.py"]


def test_an_old_text_must_stand_once(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("x\nx\n")
    with pytest.raises(ValueError, match="stands 2 times"):
        apply([FileChange(path="m.py", edits=(Edit(old="x\n", new="y\n"),))], tmp_path)


def test_outcomes_are_read(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        "<testsuites><testsuite><testcase classname='a' name='ok'/><testcase classname='a' name='no'><failure/>"
        "</testcase><testcase classname='a' name='torn'/><testcase classname='a' name='torn'><error/></testcase>"
        "<testcase classname='a' name='out'><skipped/></testcase></testsuite></testsuites>"
    )
    assert outcomes_of(report) == {"a::ok": "passed", "a::no": "failed", "a::torn": "failed", "a::out": "skipped"}


# -- the oracle ------------------------------------------------------------------------------------------------------


class Product:
    """The other side of one conversation: sends requests as the product does, and keeps the messages."""

    def __init__(self, oracle: Oracle, *tools: str, opening: str = "the task") -> None:
        self._url = f"{oracle.server.url}/chat/completions"
        self._tools = [_tool(name) for name in tools]
        self._messages: list[dict[str, JsonValue]] = [{"role": "user", "content": opening}]

    def ask(self, *results: str, said: str = "") -> tuple[str, list[tuple[str, dict[str, JsonValue]]]]:
        """Hand back results of the last answer's calls; the next answer's text and calls."""
        calls = self._messages[-1].get("tool_calls")
        for call, result in zip(calls if isinstance(calls, list) else [], results, strict=False):
            assert isinstance(call, dict)
            self._messages.append({"role": "tool", "tool_call_id": call["id"], "content": f"<data>\n{result}\n</data>"})
        if said:
            self._messages.append({"role": "user", "content": said})
        body = {"model": "gpt-5", "messages": self._messages, "tools": self._tools}
        request = urllib.request.Request(self._url, json.dumps(body).encode())
        with urllib.request.urlopen(request) as answered:
            self.answer = json.load(answered)
        message = self.answer["choices"][0]["message"]
        self._messages.append(message)
        given = [
            (call["function"]["name"], _json(call["function"]["arguments"])) for call in message.get("tool_calls") or []
        ]
        return message["content"] or "", given


def _json(text: str) -> dict[str, JsonValue]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


FIELDS = {
    "read_file": ["path", "first_line", "last_line"], "search": ["text", "files"], "run_tests": ["tests"],
    "edit_file": ["path", "edits"], "create_file": ["path", "content"], "finish": ["summary", "commit_message"],
    "finish_tests": ["kind", "brief", "places", "changed_tests"], "dispute_test": ["test", "reason"],
    "verdict": ["approved", "score", "issues", "reasoning"],
}  # fmt: skip
QA = ("read_file", "search", "edit_file", "create_file", "run_tests", "finish_tests")
DEVELOPER = ("read_file", "search", "edit_file", "create_file", "run_tests", "dispute_test", "finish")


def _tool(name: str) -> dict[str, JsonValue]:
    properties: dict[str, JsonValue] = {field: {} for field in FIELDS[name]}
    parameters: JsonValue = {"type": "object", "properties": properties}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def test_qa_looks_writes_and_finishes() -> None:
    with Oracle(task()) as oracle:
        product = Product(oracle, *QA)
        assert product.ask() == ("", [("read_file", {"path": "m.py", "first_line": 1, "last_line": 9})])
        _, calls = product.ask("1\tdef f():\n2\t    return 1")
    assert [name for name, _ in calls] == ["create_file", "run_tests", "finish_tests"]
    assert calls[-1][1] == {
        "kind": "bugfix", "brief": "Nothing to add to the task's words.", "places": ["m.py:1-9"], "changed_tests": [],
    }  # fmt: skip
    assert oracle.log == []


def test_the_developer_edits_what_it_has_been_shown() -> None:
    with Oracle(task()) as oracle:
        product = Product(oracle, *DEVELOPER, opening="m.py\n1\tdef f():\n2\t    return 1")
        _, calls = product.ask()
    assert [name for name, _ in calls] == ["edit_file", "run_tests", "finish"]
    assert calls[0][1]["edits"] == [{"old": CHANGE.edits[0].old, "new": CHANGE.edits[0].new}]
    assert calls[-1][1]["commit_message"] == "Fix f"


def test_the_developer_searches_and_reads_what_it_has_not_been_shown() -> None:
    with Oracle(task()) as oracle:
        product = Product(oracle, *DEVELOPER)
        (name, search), *others = product.ask()[1]
        assert (name, search["text"], search["files"], others) == ("search", "def f():", "m.py", [])
        assert product.ask("6\tdef f():\n7\t    return 1")[1][0][0] == "edit_file"


def test_what_the_flow_refuses_is_noted_tried_again_and_given_up() -> None:
    with Oracle(task()) as oracle:
        product = Product(oracle, *DEVELOPER, opening="def f():\n    return 1")
        product.ask()
        _, calls = product.ask("not done: m.py is protected", "1 failed", "not finished")
        assert [name for name, _ in calls] == ["edit_file", "run_tests", "finish"]
        text, calls = product.ask("not done: m.py is protected", "1 failed", "not finished")
    assert text.startswith(GIVES_UP) and not calls
    assert [line[:40] for line in oracle.log] == ["developer: flow said no: edit_file m.py: "[:40]] * 2


def test_the_reviewer_approves_the_right_change_and_misses_what_is_lacking() -> None:
    with Oracle(task()) as oracle:
        right = Product(oracle, "verdict", "read_file", opening="diff\n-    return 1\n+    return 2\n")
        assert right.ask()[1][0][1]["approved"] is True
        wrong = Product(oracle, "verdict", "read_file", opening="diff\n-    return 1\n+    return 3\n")
        verdict = wrong.ask()[1][0][1]
    assert verdict["approved"] is False
    assert "return 2" in str(verdict["issues"])


def test_a_repeated_request_gets_the_same_answer() -> None:
    with Oracle(task()) as oracle:
        first, again = Product(oracle, *QA).ask(), Product(oracle, *QA).ask()
        assert first == again
        assert oracle.usage.calls == 2


def test_cached_tokens_are_those_of_the_common_beginning() -> None:
    with Oracle(task()) as oracle:
        product = Product(oracle, *QA, opening="x" * 4000)
        product.ask()
        assert product.answer["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
        product.ask("1\tdef f():")
    usage = product.answer["usage"]
    assert 1000 < usage["prompt_tokens_details"]["cached_tokens"] < usage["prompt_tokens"]


# -- its mistakes ----------------------------------------------------------------------------------------------------


def test_mistakes_are_the_same_for_the_same_task_and_of_every_kind() -> None:
    tasks = read_tasks()
    made = [Mistakes.of(each) for each in tasks]
    assert made == [Mistakes.of(each) for each in tasks]
    assert {slip for each in made for slip in each.slips.values()} == {"prose", "cut off"}
    assert any(each.assertion for each in made) and any(each.objects for each in made)
    assert any(each.old_of for each in made)
    assert {"first fix wrong", "forgets a file"} <= {each.change for each in made}


def test_a_wrong_test_is_disputed_and_taken_away(tmp_path: Path) -> None:
    mistakes = Mistakes(assertion=True)
    wrong = mistakes.wrong_tests([TEST])
    apply(wrong, tmp_path)
    disputed = mistakes.test_to_dispute()
    assert disputed is not None and disputed[0] == "tests/test_m.py::test_that_is_wrong"
    apply(mistakes.corrected_tests(mistakes.disputed(f"the developer says {disputed[0]} is wrong")), tmp_path)
    assert (tmp_path / "tests/test_m.py").read_text().strip() == (TEST.content or "").strip()
    assert mistakes.test_to_dispute() is None


def test_a_first_fix_that_is_wrong_is_mended(tmp_path: Path) -> None:
    mistakes = Mistakes(change="first fix wrong")
    change = FileChange(path="m.py", edits=(Edit(old="a\n", new="a\nb\nc\n"),))
    (tmp_path / "m.py").write_text("a\n")
    first, rest = mistakes.wrong_change([change])
    apply(first, tmp_path)
    assert (tmp_path / "m.py").read_text() == "a\nc\n"
    apply(rest, tmp_path)
    assert (tmp_path / "m.py").read_text() == "a\nb\nc\n"
