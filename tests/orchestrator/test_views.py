"""What models are shown of a code base and of test results, and how their answers are applied."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest

from file_system.code.outline import definition_line, function_in, names_in_signatures, parsed
from orchestrator.small_models.apply import only_wanted
from orchestrator.small_models.begun_functions import Wanted, begun_function, resumed_function
from orchestrator.small_models.views import LONGEST, excerpt
from orchestrator.workbench.context import meets
from orchestrator.workbench.sources import importable, imported_definitions, read_sources
from orchestrator.workbench.trial import Trial, is_fair, not_passed
from testing import Failure


def test_sources_know_files_names_and_imports_and_leave_tests_out(tmp_path: Path) -> None:
    files = {
        "src/kit/__init__.py": "", "src/kit/text.py": "LIMIT = 3\ndef cut(): ...\ndef _own(): ...\n", "setup.py": "",
        "tests/test_text.py": "def test_a(): ...\n", "tool.py": "class Tool: ...\n", "broken.py": "def (",
    }  # fmt: skip
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    sources = read_sources(tmp_path)

    assert sorted(sources.files) == ["broken.py", "src/kit/__init__.py", "src/kit/text.py", "tool.py"]
    assert sources.symbols == {"cut": "src/kit/text.py", "LIMIT": "src/kit/text.py", "Tool": "tool.py"}
    assert sources.imports["cut"] == "from kit.text import cut"
    assert sources.imports["text"] == "from kit import text"
    assert sources.imports["kit"] == "import kit"
    assert sources.imports["Tool"] == "from tool import Tool"


def test_a_small_model_is_shown_a_frame_and_in_full_only_what_changes() -> None:
    text = 'import re\n\nLIMIT = 3\n\n\ndef wanted(y):\n    return re.sub("a", "b", y)\n\n\n'
    text += "class Box(Base):\n    pass\n\n\ndef _own(): ...\n\n\n"
    text += "\n\n".join(f"def f{n}(x: int) -> int:\n    return x + {n}" for n in range(400))
    shown = excerpt(text, {"wanted"})

    assert len(shown) <= LONGEST + 10
    assert "import re\nLIMIT = 3" in shown
    assert 'return re.sub("a", "b", y)' in shown
    assert "- `f3(x: int) -> int`" in shown
    assert "- `class Box`" in shown
    assert "_own" not in shown
    assert "return x" not in shown
    assert len(excerpt("(" * 20_000, set())) <= LONGEST + 20
    assert excerpt("", set()) == ""


@pytest.mark.parametrize(
    ("kind", "message", "location", "fair"),
    [
        ("assertion", "assert 1 == 2", "tests/test_a.py:3", True),
        ("missing", "ImportError: cannot import name 'f'", "tests/test_a.py:1", True),
        ("error", "TypeError: f() got an unexpected keyword argument 'z'", "tests/test_a.py:3", True),
        ("error", "ZeroDivisionError: division by zero", "calc.py:2", True),
        ("error", "ValueError: invalid literal for int()", "src/lib/table.py:120", True),
        ("error", "ZeroDivisionError: division by zero", "tests/test_a.py:3", False),
        ("error", "ZeroDivisionError: division by zero", None, False),
        ("error", "KeyError: 'data'", "tests/conftest.py:9", False),
        ("error", "KeyError: 'data'", "lib/tests/helpers.py:9", False),
        ("syntax", "SyntaxError: invalid syntax", "calc.py:2", False),
        ("collection", "NameError: name 'x' is not defined", "tests/test_a.py:1", False),
    ],
)
def test_the_right_reasons_to_be_red(kind: str, message: str, location: str | None, fair: bool) -> None:
    failure = Failure.model_validate(
        {"test_id": "t::a", "kind": kind, "message": message, "traceback": "", "location": location}
    )
    assert is_fair(failure) is fair


def test_an_error_of_the_code_that_became_another_one_is_a_right_reason() -> None:
    told = {
        "test_id": "t::a",
        "kind": "error",
        "message": "RuntimeError: generator raised StopIteration",
        "traceback": "",
    }
    failure = Failure.model_validate({**told, "location": "tests/test_a.py:3", "causes": ["calc.py:2"]})
    assert is_fair(failure)
    assert not is_fair(failure.model_copy(update={"causes": ("tests/test_a.py:2",)}))


def test_an_answer_that_cannot_be_applied_is_not_green() -> None:
    assert not Trial.invalid("no code").green


def test_a_begun_function_shows_the_task_and_keeps_its_title() -> None:
    text = "import re\n\nLIMIT = 3\n\n\ndef ready(x: int) -> int:\n    return x\n"
    begun = begun_function(
        Wanted(text, "cut", "Cut text", 'Add `cut(text: str, to: int = 3) -> str`.\n\nA """quote""" and \\n.')
    )
    assert begun is not None
    for part in (begun.shown, begun.kept):
        [*_, function] = ast.parse(f"{part}    return text\n").body
        assert isinstance(function, ast.FunctionDef)
        assert ast.unparse(function.args) == "text: str, to: int=3"
    assert "# There is: ready(x: int) -> int" in begun.shown
    assert "LIMIT = 3" in begun.shown
    assert "and \\\\n." in begun.shown
    assert begun.kept == 'import re\n\n\ndef cut(text: str, to: int = 3) -> str:\n    """Cut text."""\n'


def test_many_constants_are_listed_and_not_shown_as_code() -> None:
    few, many = "A = 'a'\n", "\n".join(f"PATTERN_{n} = re.compile('[a-z]+')" for n in range(9))
    assert "```python\nA = 'a'\n```" in excerpt(few, [])
    assert "- `PATTERN_8 = re.compile('[a-z]+')`" in excerpt(many, [])
    assert "```" not in excerpt(many, [])


def test_the_summary_of_a_begun_function_is_no_instruction() -> None:
    source = 'def plain(x):\n    """Make x plain."""\n'
    words = "Add `cut(text: str) -> str` to a.py. It cuts text at its first stop. `cut('a.b')` returns `'a'`."
    begun = begun_function(Wanted(source, "cut", "Add `cut(text: str) -> str` to a.py", words), steps=True)
    assert begun is not None
    assert "# There is: plain(x)\n" in begun.shown
    assert begun.kept.endswith('    """Cuts text at its first stop."""\n    # Step 1:')
    assert begun.shown.endswith("    # Step 1:")
    assert excerpt(source, ["cut"]).endswith("- `plain(x)`")


def test_a_function_is_begun_with_the_signature_there_is_or_not_at_all() -> None:
    begun = begun_function(Wanted("def cut(text, to=3):\n    return text\n", "cut", "Mend it", "`cut` is wrong."))
    assert begun is not None
    assert begun.kept == 'def cut(text, to=3):\n    """Mend it."""\n'
    assert begun_function(Wanted("", "cut", "Cut", "`cut(5, 2)` returns `5`.")) is None
    assert begun_function(Wanted("def broken(:", "cut", "Cut", "Add `cut(text)`.")) is None


def test_only_what_a_task_is_about_is_taken_from_an_answer() -> None:
    answer = (
        "import re\nfrom typing import *\nfrom os import path as p, sep\nimport xml.dom\n\n"
        "LIMIT = 9\n\ndef ready(x):\n    return 1\n\ndef cut(text):\n    return re.sub(sep, '', xml.dom.x(text))\n"
    )
    taken = only_wanted(answer, "LIMIT = 3\n\ndef ready(x):\n    return x\n", ["cut"])
    assert "LIMIT" not in taken
    assert "def ready" not in taken
    assert "import *" not in taken
    assert taken.startswith("import re\nfrom os import path as p, sep\nimport xml.dom\n")
    assert only_wanted("def (", "", ["cut"]) == "def ("


ANSWER = """import math


def cut(text: str) -> str:
    \"\"\"Mine.\"\"\"
    if not text:
        return ""
    # The middle.
    half = math.ceil(len(text) / 2)
    return text[:half]
"""


def test_an_answer_is_resumed_at_one_of_its_statements() -> None:
    words = "Cut text in the middle: `cut(text: str) -> str`."
    seen = set()
    for seed in range(20):
        begun = resumed_function(Wanted("LIMIT = 3\n", "cut", "Cut", words), ANSWER, random.Random(seed))
        assert begun is not None
        assert begun.shown.startswith("import math\nLIMIT = 3\n")
        head, _, kept = begun.kept.partition('"""Cut."""\n')
        assert head == "import math\n\n\ndef cut(text: str) -> str:\n    "
        assert begun.shown.endswith(f'    """\n{kept}')
        assert ANSWER.partition('"""Mine."""\n')[2].startswith(kept)
        seen.add(kept.count("\n"))
    assert seen == {1, 3, 4}  # cut before the inner return, the assignment, the last line


def test_nothing_is_resumed_where_there_is_nothing_to_keep() -> None:
    chooser = random.Random(0)
    assert resumed_function(Wanted("", "cut", "Cut", "`cut(text)`"), "def cut(:", chooser) is None
    assert resumed_function(Wanted("", "cut", "Cut", "`cut(text)`"), "def other(text):\n    pass\n", chooser) is None
    assert resumed_function(Wanted("", "cut", "Cut", "`cut(text)`"), "def cut(text):\n    return 1\n", chooser) is None
    assert resumed_function(Wanted("", "cut", "Cut", "no signature"), ANSWER, chooser) is None


def test_a_test_without_its_parameters_stands_for_its_cases() -> None:
    passed = ["t.py::test_a[1]", "t.py::test_a[x-2]", "t.py::test_b"]
    assert not_passed(["t.py::test_a", "t.py::test_b"], passed) == []
    assert not_passed(["t.py::test_c", "t.py::test_a[9]"], passed) == ["t.py::test_a[9]", "t.py::test_c"]


def test_a_function_is_taken_from_its_module_with_the_imports() -> None:
    text = (
        "import re\nfrom functools import cache\n\nX = 1\n\n\n@cache\ndef f(x):\n    # why\n    return re.sub(x, x)\n"
    )
    assert function_in(text, "f") == (
        "import re\nfrom functools import cache\n\n\n@cache\ndef f(x):\n    # why\n    return re.sub(x, x)"
    )
    assert function_in(text, "g") == function_in("def (", "f") == ""


def test_what_a_module_imports_from_the_project_is_told_in_a_line_each(tmp_path: Path) -> None:
    files = {
        "kit/__init__.py": "",
        "kit/points.py": "Point = tuple[int, int]\nLIMIT: int = 3\n\n\ndef far(a: Point) -> int:\n    return 1\n",
        "kit/boxes.py": "",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    text = "import os\nfrom re import sub\nfrom kit.points import Point, far, LIMIT, gone\nfrom . import x\n"
    imported = imported_definitions(tmp_path, text)
    assert imported == ["Point = tuple[int, int]", "far(a: Point) -> int", "LIMIT: int = 3"]
    assert imported_definitions(tmp_path, "def (") == imported_definitions(tmp_path, "") == []
    assert definition_line("def (", "x") == ""
    assert "- `Point = tuple[int, int]`" in excerpt(text, set(), imported)
    begun = begun_function(Wanted(text, "cut", "Cut", "Add `cut(a: Point)`.", imported))
    assert begun is not None
    assert "# There is: Point = tuple[int, int]\n" in begun.shown
    assert "There is" not in begun.kept


def test_functions_of_other_files_that_the_task_names_are_told_with_their_import(tmp_path: Path) -> None:
    (tmp_path / "search.py").write_text("def tagged(notes: list, tag: str) -> list:\n    return []\n\n\nLIMIT = 3\n")
    (tmp_path / "cli.py").write_text("def main() -> int:\n    return 0\n")
    words = "`main` gets `--tag`; use `tagged(notes, tag)` and `LIMIT`. `gone` is no name of ours."
    told = importable(tmp_path, (tmp_path / "cli.py").read_text(), words)
    assert told[0] == "tagged(notes: list, tag: str) -> list  # from search import tagged"
    assert not [line for line in told if "main" in line or "gone" in line]
    assert importable(tmp_path, "from search import tagged\n", "Use `tagged`.") == []


def test_of_classes_in_a_wanted_signature_it_is_told_what_their_objects_have(tmp_path: Path) -> None:
    words = "Add `last(account: Account) -> date`."
    used = names_in_signatures(words, ["last"])
    shown = excerpt(ACCOUNTS, ["last"], used=used)
    assert (
        "- `class Account: kind: str = 'cash'; self.name = name; self.entries: list[tuple[date, int]] = []; post("
        in shown
    )
    begun = begun_function(Wanted(ACCOUNTS, "last", "Last", words))
    assert begun is not None
    assert "# There is: class Account: kind" in begun.shown
    assert "- `class Account`" in excerpt(ACCOUNTS, ["other"], used=names_in_signatures(words, ["other"]))
    (tmp_path / "accounts.py").write_text(ACCOUNTS)
    [line] = imported_definitions(tmp_path, "from accounts import Account\n", used)
    assert line.startswith("class Account: kind")
    assert names_in_signatures("`last` is wrong, not `lasting(account: Account)`.", ["last"]) == set()
    many = "class Wide:\n" + "\n".join(f"    field_{number}: int = {number}" for number in range(99))
    assert len(definition_line(many, "Wide", {"Wide"})) < 610


ACCOUNTS = '''from datetime import date


class Account:
    """Money."""

    kind: str = "cash"

    def __init__(self, name: str) -> None:
        self.name = name
        self.entries: list[tuple[date, int]] = []

    def post(self, day: date, amount: int) -> None:
        self.entries.append((day, amount))

    def balance_at(self, day: date) -> int:
        return sum(amount for posted, amount in self.entries if posted < day)
'''


def test_of_a_class_a_small_model_sees_the_method_it_is_to_change_and_what_its_objects_have() -> None:
    shown = excerpt(ACCOUNTS, ["Account.balance_at"])

    assert "```python\nclass Account:\n    def balance_at(self, day: date) -> int:\n        return sum(" in shown
    assert "- `Account: post(self, day: date, amount: int) -> None`" in shown
    assert "- `Account: self.entries: list[tuple[date, int]] = []`" in shown
    assert "entries.append" not in shown


def test_a_method_is_begun_and_resumed_in_its_class() -> None:
    wanted = Wanted(ACCOUNTS, "Account.balance_at", "The day itself", "`Account.balance_at(day)` leaves out the day.")
    begun = begun_function(wanted)
    assert begun
    assert begun.in_class
    assert begun.kept.endswith(
        'class Account:\n    def balance_at(self, day: date) -> int:\n        """The day itself."""\n'
    )
    assert "    # There is: post(self, day: date, amount: int) -> None\n" in begun.shown
    ast.parse(f"{begun.shown}        return 1\n")

    answer = (
        "def balance_at(self, day):\n    total = 0\n    for posted, amount in self.entries:\n        total += amount\n"
    )
    answer += "    return total\n"
    resumed = resumed_function(wanted, answer, random.Random(1))
    assert resumed
    assert "        total = 0\n" in resumed.kept
    ast.parse(f"{resumed.kept}            pass\n" if resumed.kept.endswith(":\n") else f"{resumed.kept}        pass\n")


def test_a_new_method_is_begun_as_the_task_writes_it() -> None:
    wanted = Wanted(ACCOUNTS, "Account.close", "Close", "Add `Account.close() -> int`: it gives the balance.")
    begun = begun_function(wanted)
    assert begun
    assert "    def close(self) -> int:\n" in begun.kept


def test_of_an_answer_that_writes_a_class_anew_only_the_wanted_method_is_taken() -> None:
    answer = '''class Account:
    """Other."""

    kind: str = "bank"

    def __init__(self):
        self.entries = {}

    def _days(self):
        return [posted for posted, _ in self.entries]

    def balance_at(self, day: date) -> int:
        return 1
'''
    kept = only_wanted(answer, ACCOUNTS, ["Account.balance_at"])
    assert "__init__" not in kept
    assert "Other" not in kept
    assert "bank" not in kept
    assert "def _days" in kept
    assert "return 1" in kept


def test_a_method_is_taken_from_its_module_in_its_class() -> None:
    assert function_in(ACCOUNTS, "Account.balance_at") == (
        "from datetime import date\n\n\nclass Account:\n    def balance_at(self, day: date) -> int:\n"
        "        return sum(amount for posted, amount in self.entries if posted < day)"
    )


def test_what_the_parser_chokes_on_is_no_python_and_no_error(tmp_path: Path) -> None:
    long = "x = " + "+".join(["1"] * 20_000) + "\n"
    assert parsed(long) is None
    assert only_wanted(long, "", ["x"]) == long
    assert only_wanted("x = 1\n", long, ["x"]) == "x = 1\n"
    assert imported_definitions(tmp_path, long) == []


def test_places_meet_that_have_lines_in_common() -> None:
    assert meets("a.py:3-9", ["b.py:1-20", "a.py:9-12"])
    assert meets("a.py:3-9", ["a.py"]) and meets("a.py:3-9", ["a.py:4"])
    assert not meets("a.py:3-9", ["a.py:10-12", "a.py:1-2", "b.py", "a.py:somewhere"])
