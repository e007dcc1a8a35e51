"""The map of a code base: what is where, within a budget, fast."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from file_system import CodeMap, FileMissing, PathRefused, atomic
from file_system.code.outline import outline_of

CART = '''"""Carts."""
LIMIT = 3


@decorated
def add(cart, item: str) -> int:
    """Add one.

    More."""
    return 1


class Cart:
    def total(self):
        return 1

    def _hidden(self): ...
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for path, text in {
        "shop/__init__.py": "",
        "shop/cart.py": CART,
        "shop/old.py": "try:\n    import x\nexcept ImportError:\n    def fallback():\n        return 1\n",
        "shop/broken.py": "def f(:\n",
        "tests/test_cart.py": "def test_add():\n    assert True\n",
        "node_modules/a.py": "def hidden(): ...\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "shop/latin.py").write_bytes(b"# caf\xe9\n")
    return tmp_path


def test_outline_text(project: Path) -> None:
    text = CodeMap.of(project).render(10_000)
    assert (
        "shop/cart.py — Carts.\n  def add(cart, item: str) -> int — Add one.\n  class Cart\n    def total(self)\n"
        in text
    )
    assert "_hidden" not in text
    assert "hidden" not in text
    assert "shop/broken.py  (not parsed: line 1" in text
    assert text.index("shop/old.py") < text.index("tests/test_cart.py")


def test_budget_is_never_exceeded_and_focus_comes_first(project: Path) -> None:
    code = CodeMap.of(project)
    for budget in range(0, 400, 7):
        text = code.render(budget, focus=["fallback"])
        assert len(text) <= budget
    assert code.render(400, focus=["fallback"]).startswith("shop/old.py")
    assert code.render(60).endswith("more modules")


def test_the_source_of_a_definition(project: Path) -> None:
    code = CodeMap.of(project)
    assert code.definition_source("shop/cart.py", "add").startswith("@decorated\ndef add")
    assert code.definition_source("shop/cart.py", "Cart.total") == "    def total(self):\n        return 1\n"
    assert code.definition_source("shop/cart.py", "LIMIT") == "LIMIT = 3\n"
    assert "fallback" in code.definition_source("shop/old.py", "fallback")
    with pytest.raises(FileMissing):
        code.definition_source("shop/cart.py", "nothing")
    with pytest.raises(PathRefused):
        code.definition_source("../x.py", "nothing")


MODULE = '''"""Doc."""
X = 1


class A(dict):
    """An A.

    More."""

    async def go(self, *, n: int = 3) -> "A":
        pass
'''


def test_the_outline_of_a_module() -> None:
    outline = outline_of("m.py", MODULE)
    assert outline.doc == "Doc."
    assert outline.names() == ["A", "A.go", "X"]
    assert outline.classes[0].signature == "class A(dict)"
    assert outline.classes[0].doc == "An A."
    assert outline.classes[0].methods[0].signature == "async def go(self, *, n: int=3) -> 'A'"


def test_three_hundred_modules_are_read_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "".join(
        f'def f{n}(a: int, b: str = "x") -> int:\n    """Does {n}."""\n    return a + {n}\n\n\n' for n in range(30)
    )
    for number in range(300):
        (tmp_path / f"m{number}.py").write_text(body)
    read, read_bytes = Counter[str](), atomic.read_bytes

    def counted(parent: int, name: str, path: str, most: int) -> bytes:
        read[path] += 1
        return read_bytes(parent, name, path, most)

    monkeypatch.setattr(atomic, "read_bytes", counted)
    code = CodeMap.of(tmp_path)
    assert len(code.render(20_000, focus=["f7"])) <= 20_000
    assert len(code.modules) == 300
    assert set(read.values()) == {1}
    assert len(read) == 300
