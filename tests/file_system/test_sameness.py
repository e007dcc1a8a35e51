"""Code that says the same with other blanks and comments."""

from __future__ import annotations

import pytest

from file_system import same_code

PYTHON = "def f(x):\n    if x:\n        x += 1\n    return x\n"


@pytest.mark.parametrize(
    ("path", "one", "other", "same"),
    [
        ("a.py", PYTHON, PYTHON.replace("def f(x):", "# once more\ndef f( x ):  # here\n"), True),
        ("a.py", PYTHON, PYTHON.replace("    return x", "        return x"), False),
        ("a.py", PYTHON, PYTHON.replace("+= 1", "+= 2"), False),
        ("a.py", PYTHON, PYTHON.replace("x += 1", "x += '#1'"), False),
        ("a.js", "function f(a) { return a; } // a", "// b\nfunction f(a) {\n  return a;\n}\n", True),
        ("a.ts", "const a: number = 1;", "const a: string = 1;", False),
        ("a.rs", "fn f() -> i32 { 1 } // one", "fn f() -> i32 {\n    /* one */ 1\n}", True),
        ("a.go", "package a\nvar b = 1\n", "package a\nvar b = 2\n", False),
        ("a.js", "f('a b')", "f('a  b')", False),
        ("a.yaml", "a:\n  b: 1", "a:\nb: 1", False),
    ],
)
def test_blanks_and_comments_change_nothing(path: str, one: str, other: str, same: bool) -> None:
    assert same_code(path, one, other) is same
