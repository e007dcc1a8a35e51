"""Python before 3.11.8 counts the depth of a syntax tree in one place for all threads: two that parse at once may end
in `SystemError: AST constructor recursion depth mismatch` (https://github.com/python/cpython/issues/106905). There,
`ast.parse` of this process lets one thread in after the other.
"""

from __future__ import annotations

import ast
import sys
import threading
from functools import wraps
from typing import Any

ONE_PARSER = threading.RLock()
"""Held by whoever makes a syntax tree by another road than `ast.parse`, as libraries do."""


def let_one_thread_parse() -> None:
    """Put the lock before `ast.parse`, on a Python that needs it; once."""
    parse = ast.parse
    if sys.version_info >= (3, 11, 8) or hasattr(parse, "__wrapped__"):
        return

    @wraps(parse)
    def one_at_a_time(*args: Any, **options: Any) -> Any:
        with ONE_PARSER:
            return parse(*args, **options)

    ast.parse = one_at_a_time
