"""The prompts of the bench of speculative decoding."""

from __future__ import annotations

from bench.speculation import _MOST_FUNCTIONS, _functions


def test_there_are_functions_of_the_repository_to_rewrite() -> None:
    found = _functions()
    assert len(found) == _MOST_FUNCTIONS
    assert all(f"def {name}(" in code for _, name, code in found)
