"""What the look at a change refuses and what it lets pass, by its text alone."""

from __future__ import annotations

import pytest

from testing import tampering


@pytest.mark.parametrize(
    "text",
    [
        "import os\npid = os.getpid()\nfor name in os.listdir('.'): print(name)\n",
        "import sys\nif 'json' in sys.modules: print(sys.argv)\n",
        "class A:\n    def __eq__(self, other):\n        if self is other: return True\n        return False\n",
        "class A:\n    def __eq__(self, other: object) -> bool: ...\n",
        "import builtins\nwith builtins.open('x') as file: print(file.read())\n",
        "import inspect\nprint(inspect.signature(print))\n",
        "import atexit, ctypes, gc\ngc.collect()\natexit.register(print)\n",
        "RUNNERS = {'pytest': 'python -m pytest', 'unittest': 'python -m unittest'}\n",
        "def add(a, b):\n    '''As PYTEST_CURRENT_TEST says, `_pytest` calls os._exit(0).'''\n    return a + b\n",
        "def (: no Python\n",
        "(" * 5000,
    ],
)
def test_code_that_does_the_work_has_no_marks(text: str) -> None:
    assert tampering("src/pkg/module.py", None, text) == []


def test_what_the_owner_wrote_passes_and_what_is_added_to_it_does_not() -> None:
    before = "import os\n\ndef quit():\n    os._exit(1)\n"
    assert tampering("app.py", before, before + "\n\ndef again():\n    os._exit(2)\n") == []
    [mark] = tampering("app.py", before, before + "\nimport pytest\n")
    assert (mark.kind, mark.line) == ("framework", 6)
    assert "app.py:6" in str(mark)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("web/add.ts", "if (process.env.JEST_WORKER_ID) answer = 3;\n"),
        ("web/add.mjs", "import { expect } from 'vitest';\n"),
        ("web/add.cjs", "const jest = require('@jest/globals');\n"),
        ("web/add.js", "const fake = process.env.NODE_ENV === 'test';\n"),
    ],
)
def test_javascript_that_asks_for_its_tests_is_marked(path: str, text: str) -> None:
    assert tampering(path, None, text)
    assert not tampering(path, None, f"// {text}")


def test_new_modules_do_not_take_the_place_of_others() -> None:
    for path in ("json.py", "src/pytest.py", "lib/_pytest/__init__.py"):
        assert [mark.kind for mark in tampering(path, None, "")] == ["shadow"]
    for path in ("pkg/json.py", "src/pkg/types.py", "calc.py"):
        assert tampering(path, None, "") == []
    assert tampering("json.py", "x = 1\n", "x = 2\n") == []
