"""Waits hold for as long as they were meant to, whatever the clock does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitoring.waits import is_ahead, is_recent

moments = st.floats(0, 4e9)
spans = st.floats(1, 1e6)


@given(moments, spans, st.floats(-4e9, 4e9), st.floats(0, 2e6))
def test_no_jump_of_the_clock_makes_a_wait_longer(begun: float, span: float, jump: float, passed: float) -> None:
    until = begun + span
    now = begun + jump + passed
    if is_ahead(until, span, now):
        assert until - now <= span, "it lasts no longer than a wait that begins now"
    if is_recent(begun, span, now):
        assert abs(now - begun) < span


@given(moments, spans, st.floats(0.0, 0.99), st.floats(1.01, 100))
def test_with_a_steady_clock_they_last_exactly_so_long(begun: float, span: float, part: float, more: float) -> None:
    until, early, late = begun + span, begun + span * part, begun + span * more + 1
    assert is_ahead(until, span + 1e-3, early) and not is_ahead(until, span, late)
    assert is_recent(begun, span, early) and not is_recent(begun, span, late)
