"""Each kind of work and what proves it, with a team whose models call tools."""

from __future__ import annotations

import pytest

from memory import TaskStatus
from testing.pages import find_browser
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import git
from tests.orchestrator.players import (
    DEVELOPER,
    TASK,
    WITH_TOOLS,
    Call,
    Script,
    players,
    results,
    role_of,
)
from tests.orchestrator.scripts import CALC

__all__ = ["make_house"]


@pytest.mark.long  # CI lands one in a real library
def test_documentation_changes_no_code_and_what_it_says_holds(make_house: MakeHouse) -> None:
    readme = "# Calc\n\nSee [the guide](docs/guide.md#use).\n\n"
    readme += "```pycon\n>>> from calc import double\n>>> double(4)\n8\n```\n"

    def doc(old: str, new: str) -> Call:
        return ("edit_file", {"path": "calc.py", "edits": [{"old": old, "new": new}]})

    qa: Script = ((("finish_tests", {"kind": "documentation", "brief": "README.md says nothing of double."}),),)
    developer: Script = (
        (
            ("create_file", {"path": "README.md", "content": readme}),
            doc("2 * x", "x + x"),
            doc("Twice `x`.", "Twice `x`.\n\n    >>> double(4)\n    9\n    "),
            doc("(x: int)", "(x: 'Number')"),
            ("finish", {"commit_message": "Document double"}),
        ),
        (
            ("create_file", {"path": "docs/guide.md", "content": "# Guide\n\n## Use\n"}),
            doc("x + x", "2 * x"),
            doc("    9\n", "    8\n"),
            doc("(x: 'Number')", "(x: int)"),
            ("run_tests", {}),  # it has none of its own: the suite is run, and nothing is refused
            ("finish", {"commit_message": "Document double"}),
        ),
    )
    files = {"pyproject.toml": "[tool.ruff.lint]\nselect = ['F']\n", "requirements-test.txt": "pytest\nruff\n"}
    house, server = make_house(players(qa=qa, developer=developer), llm=WITH_TOOLS, files=files)
    task_id = house.submit("Describe double in README.md.", "Document double")
    with house.daemon("--until-idle"):
        task = house.wait_for(task_id, TaskStatus.COMPLETED)
    assert task.kind == "documentation"
    said = [request for request in server.requests if role_of(request) == "developer"]
    assert len(said) == 2
    told = said[1].messages[-1].text
    assert "what code does changes in calc.py" in told
    assert "README.md: docs/guide.md#use" in told
    assert "double(4) gives '8'" in told
    assert "ruff: calc.py:4: F821 Undefined name `Number`" in told
    shown = " ".join(house.cli("task", "show", task_id).stdout.split())
    assert "examples: holds (3 examples in README.md, calc.py)" in shown
    assert "linters and types: holds (ruff (0 findings, 0 before))" in shown
    assert "build of the documentation: not checked" in shown
    assert ">>> double(4)" in git(house.repository, "show", "agents/integration:README.md")
    assert "return 2 * x" in git(house.repository, "show", "agents/integration:calc.py")


CLAMP = """def clamp(x: int, top: int) -> int:
    if x >= top:
        return top
    return x


def sign(x: int) -> str:
    return "-" if x < 0 else "+"
"""
CLAMP_TESTS = """from clamp import clamp


def test_clamp() -> None:
    assert clamp(9, 5) == 5
    assert clamp(1, 5)
"""


@pytest.mark.long  # CI lands one in a real library
def test_tests_alone_are_work_of_qa_and_have_to_raise_something(make_house: MakeHouse) -> None:
    def added(name: str, *lines: str) -> Call:
        text = "import clamp\n\n\n" + f"def test_{name}() -> None:\n" + "".join(f"    {line}\n" for line in lines)
        return ("create_file", {"path": f"tests/test_{name}.py", "content": text})

    done: Call = ("finish_tests", {"kind": "tests", "brief": "What no test says."})
    qa: Script = (
        (added("again", "assert clamp.clamp(8, 5) == 5"), done),
        (("delete_file", {"path": "tests/test_again.py"}), added("nothing", "assert True"), done),
        (("delete_file", {"path": "tests/test_nothing.py"}), added("below", "assert clamp.clamp(2, 5) == 2"), done),
    )
    house, server = make_house(
        players(qa=qa), llm=WITH_TOOLS, files={"clamp.py": CLAMP, "tests/test_clamp.py": CLAMP_TESTS}
    )
    task_id = house.submit("clamp is tested badly; test it.", "Test clamp")
    with house.daemon("--until-idle"):
        task = house.wait_for(task_id, TaskStatus.COMPLETED)
    assert [role_of(request) for request in server.requests] == ["qa", "qa", "qa", "tech_lead"]
    asked = [request for request in server.requests if role_of(request) == "qa"]
    assert "small faults they notice none that it let live" in results(asked[1])
    assert "the new tests run none of the project's functions" in results(asked[2])
    proof = task.result["proofs"][0]  # type: ignore[index]
    assert "a fault is noticed that the suite let live: clamp.py:" in str(proof)
    assert "test_below" in git(house.repository, "show", "agents/integration:tests/test_below.py")


def test_tests_that_run_lines_for_the_first_time_are_worth_it(make_house: MakeHouse) -> None:
    text = "from clamp import sign\n\n\ndef test_sign() -> None:\n    assert sign(-1) == '-'\n"
    qa: Script = (
        (("create_file", {"path": "tests/test_sign.py", "content": text}), ("finish_tests", {"kind": "tests"})),
    )
    house, server = make_house(
        players(qa=qa), llm=WITH_TOOLS, files={"clamp.py": CLAMP, "tests/test_clamp.py": CLAMP_TESTS}
    )
    task_id = house.submit("sign has no test; add one.", "Test sign")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    assert [role_of(request) for request in server.requests] == ["qa", "tech_lead"]
    assert (
        "tests raise something: holds (1 lines are run for the first time: clamp.py:8)"
        in server.requests[1].messages[-1].text
    )
    shown = " ".join(house.cli("task", "show", task_id).stdout.split())
    assert "tests raise something: holds (1 lines are run for the first time: clamp.py:8)" in shown


@pytest.mark.long  # CI lands one in a real library
def test_refactoring_keeps_the_public_surface(make_house: MakeHouse) -> None:
    def edit(*pairs: tuple[str, str]) -> Call:
        return ("edit_file", {"path": "calc.py", "edits": [{"old": old, "new": new} for old, new in pairs]})

    qa: Script = ((("finish_tests", {"kind": "refactoring"}),),)
    developer: Script = (
        (edit(("(x: int)", "(x: int, y: int = 0)")), ("finish", {})),
        (edit(("(x: int, y: int = 0)", "(x: int)"), ("2 * x", "x + x")), ("finish", {})),
    )  # fmt: skip
    house, server = make_house(players(qa=qa, developer=developer), llm=WITH_TOOLS)
    task_id = house.submit("Refactor double.", "Refactor")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    said = [request for request in server.requests if role_of(request) == "developer"]
    assert "the public surface changes: calc.double(y): parameter was added" in said[1].messages[-1].text
    shown = " ".join(house.cli("task", "show", task_id).stdout.split())
    assert "public surface: holds (of calc)" in shown
    assert "touched code is tested: holds (all 1 statements that change were run by the suite before)" in shown
    reviews = [request for request in server.requests if role_of(request) == "tech_lead"]
    assert "public surface: holds (of calc)" in reviews[0].messages[-1].text


@pytest.mark.long
def test_refactoring_of_untested_code_needs_tests_that_pin_it_down_first(make_house: MakeHouse) -> None:
    clamp = "def clamp(x: int, top: int) -> int:\n    if x > top:\n        return top\n    return x\n"
    pins = "from calc import clamp\n\n\ndef test_clamp() -> None:\n    assert (clamp(9, 5), clamp(1, 5)) == (5, 1)\n"
    qa: Script = (
        (("finish_tests", {"kind": "refactoring"}),),
        (("create_file", {"path": "tests/test_clamp.py", "content": pins}), ("finish_tests", {"kind": "refactoring"})),
    )
    body = "    if x > top:\n        return top\n    return x\n"
    edit: Call = ("edit_file", {"path": "calc.py", "edits": [{"old": body, "new": "    return min(x, top)\n"}]})
    developer: Script = ((edit, ("finish", {"commit_message": "Let min() do the clamping"})),)
    files = {"calc.py": f'"""Arithmetic."""\n\n\n{clamp}'}
    files["tests/test_calc.py"] = "import calc\n\n\ndef test_calc() -> None:\n    assert calc.__doc__\n"
    house, server = make_house(players(qa=qa, developer=developer), llm=WITH_TOOLS, files=files)
    task_id = house.submit("Make clamp shorter.", "Refactor clamp")
    with house.daemon("--until-idle"):
        task = house.wait_for(task_id, TaskStatus.COMPLETED)
    asked = [request for request in server.requests if role_of(request) == "qa"]
    assert "touches code that no test runs: calc.py:5, calc.py:6, calc.py:7" in asked[1].messages[-1].text
    # The work waited for the tests and is tried on them; nobody writes it again.
    assert [role_of(request) for request in server.requests] == ["qa", "developer", "qa", "tech_lead"]
    assert task.result["asked_for_tests"] == 1
    assert "return min(x, top)" in git(house.repository, "show", "agents/integration:calc.py")
    assert house.landed() == ["Let min() do the clamping", "Test: Refactor clamp"]


@pytest.mark.long
def test_refactoring_leaves_alone_what_qa_cannot_test(make_house: MakeHouse) -> None:
    qa: Script = tuple((("finish_tests", {"kind": "refactoring", "brief": said}),) for said in ("a", "b", "c"))

    def edit(old: str, new: str) -> Call:
        return ("edit_file", {"path": "calc.py", "edits": [{"old": old, "new": new}]})

    developer: Script = (
        (edit("return 3 * x", "return x + x + x"), edit("2 * x", "x + x"), ("finish", {})),
        (edit("return x + x + x", "return 3 * x"), ("finish", {})),
    )
    house, server = make_house(
        players(qa=qa, developer=developer),
        llm=WITH_TOOLS,
        files={"calc.py": f"{CALC}\n\ndef triple(x: int) -> int:\n    return 3 * x\n"},
    )
    task_id = house.submit("Refactor double and triple.", "Refactor")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    roles = [role_of(request) for request in server.requests]
    assert roles == ["qa", "developer", "qa", "qa", "developer", "tech_lead"]
    told = server.requests[4].messages[-1].text
    assert "touches code that no test runs: calc.py:10" in told and "leave that code as it is" in told


SLOW = """def distinct(items: list[int]) -> list[int]:
    found: list[int] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found
"""
BENCHMARK = "from shop import distinct\n\nITEMS = list(range(1500))\n\n\ndef benchmark():\n    distinct(ITEMS)\n"


@pytest.mark.long
def test_performance_is_proven_by_a_benchmark_of_qa(make_house: MakeHouse) -> None:
    qa: Script = (
        (("finish_tests", {"kind": "performance"}),),
        (("finish_tests", {"kind": "performance", "benchmark": BENCHMARK.replace("distinct", "distant")}),),
        (("finish_tests", {"kind": "performance", "benchmark": BENCHMARK}),),
    )

    def edit(old: str, new: str) -> Call:
        return ("edit_file", {"path": "shop.py", "edits": [{"old": old, "new": new}]})

    loop = SLOW.partition("\n")[2]
    developer: Script = (
        (edit("item not in found", "not (item in found)"), ("finish", {})),
        (edit(loop.replace("item not in found", "not (item in found)"), "    return list(dict.fromkeys(items))\n"),
         ("finish", {})),
    )  # fmt: skip
    tests = "from shop import distinct\n\n\ndef test_distinct() -> None:\n    assert distinct([2, 1, 2]) == [2, 1]\n"
    house, server = make_house(
        players(qa=qa, developer=developer), llm=WITH_TOOLS, files={"shop.py": SLOW, "tests/test_shop.py": tests}
    )
    task_id = house.submit("distinct is too slow for a thousand items.", "Make distinct faster")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    of_qa, of_developer, of_lead = (
        [request for request in server.requests if role_of(request) == role]
        for role in ("qa", "developer", "tech_lead")
    )
    assert "is proven by a benchmark" in results(of_qa[1])
    assert "cannot import name 'distant'" in results(of_qa[2])
    assert "distinct(ITEMS)" in of_developer[0].messages[-1].text
    assert "the benchmark is not clearly faster" in of_developer[1].messages[-1].text
    assert "benchmark: holds (" in of_lead[0].messages[-1].text
    assert "lines of Python a call" in " ".join(house.cli("task", "show", task_id).stdout.split())


STEPS = "\n  tests:\n    runs-on: ubuntu-latest\n    steps:\n      - run: pytest"


@pytest.mark.long
def test_configuration_changes_with_the_owners_approval_alone(make_house: MakeHouse) -> None:
    qa: Script = ((("finish_tests", {"kind": "configuration"}),),)
    developer: Script = (
        (
            ("create_file", {"path": "ci.yaml", "content": "a: [\n"}),
            ("create_file", {"path": ".github/workflows/ci.yml", "content": "on: push\njobs: {}\n"}),
            ("create_file", {"path": "requirements.txt", "content": "no-such-thing-here==9.9\n"}),
            ("create_file", {"path": ".env", "content": "A=1\n"}),
            ("create_file", {"path": "conftest.py", "content": "x = 1\n"}),
        ),
        (
            ("create_file", {"path": "tox.ini", "content": "[tox]\n"}),
            ("run_tests", {"whole_suite": True}),
            ("finish", {}),
        ),
        (
            (
                "edit_file",
                {"path": "requirements.txt", "edits": [{"old": "no-such-thing-here==9.9", "new": "iniconfig"}]},
            ),
            ("finish", {}),
        ),
        (
            ("edit_file", {"path": ".github/workflows/ci.yml", "edits": [{"old": "{}", "new": STEPS}]}),
            ("finish", {}),
        ),
    )
    house, server = make_house(players(qa=qa, developer=developer), llm=WITH_TOOLS)
    task_id = house.submit("Run the tests on each push.", "CI")
    with house.daemon():
        house.wait_for(task_id, TaskStatus.WAITING_APPROVAL)
        said = [request for request in server.requests if role_of(request) == "developer"]
        assert "ci.yaml:2: did not find expected node content" in results(said[1])
        assert "path '.env' refused" in results(said[1])
        assert "no-such-thing-here was not found" in " ".join(results(said[2]).split())
        assert "$.jobs: {} should be non-empty" in said[3].messages[-1].text
        assert "actionlint did not say this before the work" in said[3].messages[-1].text
        shown = " ".join(house.cli("task", "show", task_id).stdout.split())
        assert "settings: holds (.github/workflows/ci.yml (schema github-workflows), tox.ini (INI))" in shown
        assert "workflows: holds (actionlint: 0 findings, 0 before)" in shown
        assert "new environment: holds (the suite is no worse in an environment that was built" in shown
        listed = house.cli("approvals", "list").stdout
        assert ".github/workflows/ci.yml" in " ".join(listed.split())
        assert house.cli("approvals", "approve", task_id).returncode == 0
        house.wait_for(task_id, TaskStatus.COMPLETED)
    files = git(house.repository, "ls-tree", "-r", "--name-only", "agents/integration").split()
    assert {".github/workflows/ci.yml", "tox.ini"} <= set(files)
    assert not {"ci.yaml", ".env", "conftest.py"} & set(files)


@pytest.mark.long
def test_other_work_does_not_change_the_configuration(make_house: MakeHouse) -> None:
    sneaks: Script = (
        (("create_file", {"path": "tox.ini", "content": "[pytest]\naddopts = -k nothing\n"}),
         ("create_file", {"path": ".github/workflows/x.yml", "content": "on: push\n"}), *DEVELOPER[0]),
        (("finish", {}),),
    )  # fmt: skip
    house, _ = make_house(players(developer=sneaks), llm=WITH_TOOLS)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    files = git(house.repository, "ls-tree", "-r", "--name-only", "agents/integration").split()
    assert not {"tox.ini", ".github/workflows/x.yml"} & set(files)


SITE = """from http.server import BaseHTTPRequestHandler, HTTPServer


class Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<title>Shop</title><h1>Open</h1>")


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", 8080), Shop).serve_forever()
"""
SITE_TESTS = """import subprocess
import sys
import time
from urllib.request import urlopen


def test_site() -> None:
    with subprocess.Popen([sys.executable, "site_of_shop.py"]) as served:
        for _ in range(100):
            try:
                said = urlopen("http://127.0.0.1:8080/", timeout=5).read()
                break
            except OSError:
                time.sleep(0.05)
        else:
            said = b""
        served.kill()
    assert b"<h1>Open</h1>" in said
"""


@pytest.mark.long
def test_a_page_leaves_a_picture(make_house: MakeHouse) -> None:
    command, address = "python site_of_shop.py", "http://127.0.0.1:8080/"
    qa: Script = (
        (("create_file", {"path": "tests/test_site.py", "content": SITE_TESTS}),
         ("finish_tests", {"page": {"command": command, "address": "http://192.0.2.1/"}})),
        (("finish_tests", {"page": {"command": command, "address": address}}),),
    )  # fmt: skip
    developer: Script = ((("create_file", {"path": "site_of_shop.py", "content": SITE}), ("finish", {})),)
    house, server = make_house(players(qa=qa, developer=developer), llm=WITH_TOOLS)
    task_id = house.submit("Serve a page at http://127.0.0.1:8080/ that says Open.", "A page")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED)
    of_qa = [request for request in server.requests if role_of(request) == "qa"]
    assert "page.address" in results(of_qa[1])
    shown = " ".join(house.cli("task", "show", task_id).stdout.split())
    assert "page: holds (http://127.0.0.1:8080/ answers 200 with the title 'Shop'" in shown
    picture = house.paths.state / "evidence" / task_id / "page-1.png"
    assert picture.is_file() == (find_browser() is not None)
    assert ("page-1.png" if picture.is_file() else "apt-get install chromium") in shown
