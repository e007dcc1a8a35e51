"""Which cases of a family run in the short round (`make test`); all of them run in the long ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def one_in(number: int, cases: Iterable[Any]) -> list[Any]:
    """`cases` for parametrize; the first and each `number`-th after it run in the short round, too. A case that is a
    tuple holds several arguments."""
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.long if place % number else ())
        for place, case in enumerate(cases)
    ]
