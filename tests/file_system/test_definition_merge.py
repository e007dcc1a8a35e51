"""Definitions of a model's answer are brought into a module; every other byte stays."""

from __future__ import annotations

import ast
import difflib
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from file_system import ElidedCode, MergeRefused, SyntaxProblem, merge_definitions

MODULE = '''\
#!/usr/bin/env python
# -*- coding: utf-8 -*-
"""Prices   and their names."""

from __future__ import annotations

import datetime
import re
from typing import Any

__all__ = ["price_of"]

CURRENCY = "EUR"   # kept comment
_CACHE: dict[str, int] = {}


def price_of(name: str) -> int:
    """Price."""
    return _CACHE.get(name, 0)


# A comment about the class.
class Basket:
    """A basket."""

    limit = 3

    def __init__(self) -> None:
        self.items: list[str] = []

    @property
    def size(self) -> int:
        return len(self.items)

    @size.setter
    def size(self, value: int) -> None:
        raise AttributeError


def today() -> datetime.date:
    return datetime.date.today()


if __name__ == "__main__":
    print(price_of("tea"))
'''


def merged(fence: str, text: str = MODULE, path: str = "shop/prices.py") -> str:
    """The merged text, after checking that it parses and that merging again changes nothing."""
    fence = textwrap.dedent(fence)
    result = merge_definitions(text, fence, path).text
    ast.parse(result.removeprefix("\ufeff"))
    assert merge_definitions(result, fence, path).text == result
    return result


def changes(before: str, after: str) -> list[str]:
    """Removed and added lines, blank ones left out."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in lines if line[:1] in "+-" and line[:3] not in {"+++", "---"} and line[1:]]


def test_replaces_a_function_where_it_stands() -> None:
    after = merged('def price_of(name: str) -> int:\n    """Price."""\n    return 7\n')
    assert changes(MODULE, after) == ["-    return _CACHE.get(name, 0)", "+    return 7"]


def test_new_function_follows_the_last_definition_before_the_main_block() -> None:
    after = merged("def tax(n):\n    return n // 5\n")
    assert after.replace("\n\n\ndef tax(n):\n    return n // 5\n", "\n", 1) == MODULE.replace(
        "\n\n\nif __n", "\n\n\nif __n"
    )
    assert after.index("def today") < after.index("def tax") < after.index("if __name__")


def test_a_class_without_its_present_methods_is_merged_by_method() -> None:
    after = merged(
        """
        class Basket:
            limit = 5
            discount = 0.1

            def __init__(self) -> None:
                self.items: list[str] = ["bag"]

            def add(self, item):
                self.items.append(item)
        """
    )
    assert changes(MODULE, after) == [
        "-    limit = 3",
        "+    limit = 5",
        "+    discount = 0.1",
        "-        self.items: list[str] = []",
        '+        self.items: list[str] = ["bag"]',
        "+    def add(self, item):",
        "+        self.items.append(item)",
    ]


def test_a_complete_class_replaces_the_whole() -> None:
    fence = '''
    class Basket:
        """New words."""

        limit = 3

        def __init__(self): ...
        @property
        def size(self): return 1
        @size.setter
        def size(self, value): pass
    '''
    assert "A basket." not in merged(fence)


def test_property_setter_is_told_from_its_getter() -> None:
    after = merged("class Basket:\n    @size.setter\n    def size(self, value):\n        self.items = value\n")
    assert changes(MODULE, after) == [
        "-    def size(self, value: int) -> None:",
        "-        raise AttributeError",
        "+    def size(self, value):",
        "+        self.items = value",
    ]


def test_method_in_other_indentation_and_with_a_long_string_is_fitted_in() -> None:
    fence = 'class Basket:\n  def note(self):\n    return """a\nb\n  c"""\n'
    after = merged(fence)
    assert '    def note(self):\n      return """a\nb\n  c"""\n' in after
    namespace: dict[str, object] = {}
    exec(compile(after, "prices.py", "exec"), namespace)
    assert namespace["Basket"]().note() == "a\nb\n  c"  # type: ignore[operator]  # a class out of a dict of objects


def test_class_with_tabs_takes_a_method_with_spaces() -> None:
    text = "class A:\n\tdef a(self):\n\t\treturn 1\n"
    assert "\tdef b(self):\n" in merged("class A:\n    def b(self):\n        return 2\n", text)


def test_a_bare_method_goes_to_the_only_class_that_can_own_it() -> None:
    assert "    def add(self, item):\n        self.items.append(item)\n" in merged(
        "def add(self, item):\n    self.items.append(item)\n"
    )


def test_examples_prints_asserts_and_tests_are_left_out() -> None:
    after = merged(
        """
        import pytest
        from shop.prices import price_of, tax

        def tax(n):
            return n

        result = tax(3)
        print(result)
        assert tax(3) == 3
        for n in range(3):
            print(n)

        def test_tax():
            assert tax(1) == 1

        class TestTax:
            def test_it(self): assert tax(1) == 1

        if __name__ == "__main__":
            print(tax(2))
        """
    )
    assert changes(MODULE, after) == ["+def tax(n):", "+    return n"]


def test_test_functions_count_in_a_test_file() -> None:
    after = merged("def test_b():\n    assert True\n", "def test_a():\n    assert 1\n", "tests/test_x.py")
    assert "def test_b()" in after


def test_imports_are_added_once_and_only_when_used() -> None:
    after = merged(
        """
        from __future__ import annotations
        import re
        import json, os
        from typing import Any, List, Optional
        from collections import defaultdict

        def load(text: str) -> Optional[List[Any]]:
            return json.loads(re.sub("a", "b", text))
        """
    )
    assert changes(MODULE, after) == [
        "-from typing import Any",
        "+import json",
        "+from typing import Any, List, Optional",
        "+def load(text: str) -> Optional[List[Any]]:",
        '+    return json.loads(re.sub("a", "b", text))',
    ]


def test_future_import_is_added_only_where_annotations_need_it_and_then_first() -> None:
    text = '"""Doc."""\n\nfrom .a import b\n\n\ndef f():\n    return b\n'
    future = "from __future__ import annotations\n\n"
    assert future not in merged(future + "def g(n: int) -> int:\n    return n\n", text)
    after = merged(future + "class Node:\n    def next(self) -> Node:\n        return self\n", text)
    assert after.startswith('"""Doc."""\n\nfrom __future__ import annotations\n\nfrom .a import b\n')
    assert merged(future + "X = 1\n", "").startswith(future)


def test_import_that_means_something_else_here_does_not_break_the_module() -> None:
    after = merged(
        """
        from datetime import datetime, timedelta

        def tomorrow(now: datetime) -> datetime:
            '''datetime stays in words'''
            return datetime.now() + timedelta(days=1)
        """
    )
    assert "def tomorrow(now: datetime.datetime) -> datetime.datetime:" in after
    assert "return datetime.datetime.now() + timedelta(days=1)" in after
    assert "'''datetime stays in words'''" in after
    assert "from datetime import timedelta\n" in after
    namespace: dict[str, object] = {"__name__": "prices"}
    exec(compile(after, "prices.py", "exec"), namespace)
    namespace["today"]()  # type: ignore[operator]  # still sees the module


def test_module_import_beside_a_class_of_that_name_gets_another_name() -> None:
    text = "from datetime import datetime\n\n\ndef now():\n    return datetime.now()\n"
    after = merged("import datetime\n\ndef day():\n    return datetime.date.today()\n", text)
    assert "import datetime as _datetime\n" in after
    assert "return _datetime.date.today()" in after
    assert "return datetime.now()" in after


def test_self_imports_in_every_form_are_dropped() -> None:
    for line in (
        "from shop.prices import price_of",
        "from src.shop.prices import anything",
        "from prices import price_of",
        "from .prices import price_of",
        "from . import price_of",
        "from shop import price_of",
        "from your_module import price_of",
    ):
        after = merged(f"{line}\n\ndef twice(n):\n    return 2 * price_of(n)\n")
        assert line not in after, line


def test_a_relative_import_of_a_neighbour_is_kept() -> None:
    assert "from .names import clean\n" in merged("from .names import clean\n\ndef f(n):\n    return clean(n)\n")


def test_standard_module_with_the_files_name_is_not_a_self_import() -> None:
    after = merged("from math import sqrt\n\ndef root(n):\n    return sqrt(n)\n", "X = 1\n", "shop/math.py")
    assert "from math import sqrt\n" in after


def test_stub_of_a_present_function_is_context_not_content() -> None:
    after = merged("def price_of(name): ...\n\nclass Basket:\n    def add(self): pass\n\ndef new():\n    return 1\n")
    assert "return _CACHE.get(name, 0)" in after
    assert "def new():" in after


def test_definition_that_repeats_an_import_is_dropped() -> None:
    text = "from .words import clean\n\n\ndef use(n):\n    return clean(n)\n"
    after = merged("def clean(n):\n    return n\n\ndef use(n):\n    return clean(n).upper()\n", text)
    assert "def clean" not in after
    assert ".upper()" in after


def test_decorators_are_replaced_with_the_definition_and_kept_when_left_out() -> None:
    text = "import functools\n\n\n@functools.lru_cache(maxsize=1)\ndef f(n):\n    return n\n"
    assert "maxsize=1" not in merged("@functools.cache\ndef f(n):\n    return n + 1\n", text)
    assert "@functools.lru_cache(maxsize=1)\ndef f(n):\n    return n + 1\n" in merged(
        "def f(n):\n    return n + 1\n", text
    )


def test_overloads_are_replaced_in_pairs() -> None:
    text = (
        "from typing import overload\n\n"
        "@overload\ndef f(n: int) -> int: ...\n@overload\ndef f(n: str) -> str: ...\ndef f(n):\n    return n\n"
    )
    after = merged("def f(n):\n    return n * 2\n", text)
    assert after == text.replace("return n\n", "return n * 2\n")


def test_new_base_class_precedes_the_replaced_class_that_needs_it() -> None:
    text = "class A:\n    x = 1\n\n\ndef z():\n    return 1\n"
    after = merged("class Base:\n    pass\n\nclass A(Base):\n    x = 2\n", text)
    exec(compile(after, "m.py", "exec"), {})
    assert after.index("class Base") < after.index("class A")


def test_constants_precede_definitions_unless_they_need_them() -> None:
    text = "import re\n\n\ndef one():\n    return 1\n"
    after = merged("NAMES = ['a']\n\ndef two():\n    return NAMES\n\nTABLE = {'one': one, 'two': two}\n", text)
    exec(compile(after, "m.py", "exec"), {})
    assert after.index("NAMES =") < after.index("def one") < after.index("def two") < after.index("TABLE =")


def test_constant_that_is_used_is_kept_though_it_is_written_small() -> None:
    assert "suffixes = ('k', 'M')\n" in merged("suffixes = ('k', 'M')\nx = 4\n\ndef f(n):\n    return suffixes[n]\n")


def test_partial_constant_does_not_replace_the_full_one() -> None:
    assert merged("CURRENCY = ...\n\ndef today():\n    return 1\n").count('CURRENCY = "EUR"   # kept comment') == 1


def test_version_and_all_are_not_overwritten() -> None:
    assert '__all__ = ["price_of"]' in merged('__all__ = ["tax"]\n__version__ = "9"\n\ndef tax(n):\n    return n\n')


def test_empty_module_takes_imports_constants_and_definitions() -> None:
    after = merged(
        "import re\n\nPATTERN = re.compile('a')\n\ndef f(n):\n    return PATTERN.sub('', n)\n\nprint(f('a'))\n", ""
    )
    assert "print" not in after
    exec(compile(after, "m.py", "exec"), {})


def test_windows_line_ends_form_feeds_and_a_byte_order_mark_survive() -> None:
    text = "\ufeff" + "import re\r\n\r\n\x0c\r\ndef a():\r\n    return 'x\x1cy'\r\n\r\n\r\ndef b():\r\n    return 2\r\n"
    after = merged("def b():\n    return 3\n\ndef c():\n    return 4\n", text)
    assert after == text.replace("return 2", "return 3") + "\r\n\r\ndef c():\r\n    return 4\r\n"


def test_file_without_a_last_line_end() -> None:
    assert merged("def b():\n    return 2\n", "def a():\n    return 1") == (
        "def a():\n    return 1\n\n\ndef b():\n    return 2\n"
    )


def test_left_out_code_is_refused() -> None:
    with pytest.raises(ElidedCode, match="existing code"):
        merge_definitions(MODULE, "def price_of(n):\n    # ... existing code ...\n    return 1\n", "shop/prices.py")


def test_code_that_defines_nothing_or_does_not_parse_is_refused() -> None:
    with pytest.raises(MergeRefused, match="defines nothing"):
        merge_definitions(MODULE, "print(1)\n", "shop/prices.py")
    with pytest.raises(SyntaxProblem):
        merge_definitions(MODULE, "def f(:\n", "shop/prices.py")


def test_reports_what_was_replaced_and_added() -> None:
    merge = merge_definitions(MODULE, "def today():\n    return 1\n\ndef new():\n    return 2\n", "shop/prices.py")
    assert (merge.replaced, merge.added) == (("today",), ("new",))


@pytest.mark.parametrize("name", ["textwrap", "dataclasses", "argparse", "fractions", "inspect", "functools", "enum"])
def test_standard_modules_keep_every_byte_outside_what_is_merged(name: str) -> None:
    text = Path(sys.modules[name].__file__ or "").read_text() if name in sys.modules else ""
    text = text or Path(ast.__file__).with_name(f"{name}.py").read_text()
    lines = text.splitlines(keepends=True)
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            source = "".join(lines[start - 1 : node.end_lineno])
            break
    assert merge_definitions(text, source, f"{name}.py").text == text
    after = merge_definitions(text, "def entirely_new():\n    return 1\n", f"{name}.py").text
    assert after.replace("def entirely_new():\n    return 1\n", "").replace("\n", "") == text.replace("\n", "")


def test_merged_library_still_runs(tmp_path: Path) -> None:
    text = Path(ast.__file__).with_name("textwrap.py").read_text()
    fence = "from textwrap import dedent\nimport re\n\ndef shout(text):\n    return re.sub(' ', '!', dedent(text))\n"
    (tmp_path / "wrapping.py").write_text(merge_definitions(text, fence, "wrapping.py").text)
    command = [sys.executable, "-c", "import wrapping; print(wrapping.shout('  a b'), wrapping.fill('a'))"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "a!b a\n"
