"""The owner's say: autonomy by type and kind of task, and the hours in which nothing new is begun."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.registry import check_names
from config import ConfigError, QuietHours, Settings, autonomy_of, load_settings


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("stated", "kind", "counts"),
    [
        ("suggest", "bugfix", "suggest"),
        ({"default": "suggest"}, "", "suggest"),
        ({"code": "approve_landing"}, "", "approve_landing"),
        ({"code": "approve_landing", "bugfix": "full"}, "bugfix", "full"),
        ({"decision": "suggest"}, "bugfix", "full"),
    ],
)
def test_the_kind_counts_before_the_type_and_that_before_the_default(stated: object, kind: str, counts: str) -> None:
    settings = Settings.model_validate({"orchestrator": {"autonomy": stated}})
    check_names(settings, "config.yaml")
    assert autonomy_of(settings.orchestrator.autonomy, "code", kind) == counts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("autonomy: much", "orchestrator.autonomy"),
        ("autonomy: {code: none}", "orchestrator.autonomy"),
        ("quiet_hours: 25:00-07:00", "two different times of day"),
        ('quiet_hours: "7:00-07:00"', "two different times of day"),
        ("quiet_hours: night", "two different times of day"),
        ("time_zone: Europe/Nowhere", "no time zone is known by this name"),
        ("time_zone: ../etc", "no time zone is known by this name"),
    ],
)
def test_what_is_no_say_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"orchestrator: {{{text}}}", encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        load_settings(path)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"orchestrator": {"autonomy": {"cdoe": "full"}}}, "did you mean 'code'"),
        ({"agents": {"developer": {"duty": "You write."}}}, "agents.developer.duty: cannot be set"),
        ({"agents": {"qa": {"handles": ["analysis"]}}}, "agents.qa.handles: cannot be set"),
        ({"agents": {"ceo": {"reviews": ["cfo"]}}}, "agents.ceo.reviews: cannot be set"),
        ({"agents": {"legal": {"handles": ["analysis"]}}}, "gives no opinions"),
        ({"agents": {"tax": {"duty": "You count.", "handles": ["code"]}}}, "agents.tax.handles"),
        ({"agents": {"tax": {"duty": "You count.", "reviews": ["nobody"]}}}, "agents.tax.reviews"),
    ],
)
def test_what_would_do_nothing_is_an_error(section: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as problem:
        check_names(Settings.model_validate(section), "config.yaml")
    assert said in str(problem.value)


@pytest.mark.parametrize(
    ("hours", "zone", "now", "until"),
    [
        ("22:00-07:00", "UTC", "2026-03-01T21:59", None),
        ("22:00-07:00", "UTC", "2026-03-01T22:00", "2026-03-02T07:00"),
        ("22:00-07:00", "UTC", "2026-03-02T06:59:59", "2026-03-02T07:00"),
        ("22:00-07:00", "UTC", "2026-03-02T07:00", None),
        ("07:00-22:00", "UTC", "2026-03-02T12:00", "2026-03-02T22:00"),
        ("07:00-22:00", "UTC", "2026-03-02T23:00", None),
        ("22:00-07:00", "Asia/Tokyo", "2026-03-01T13:30", "2026-03-01T22:00"),
        # Clocks go forward on 29 March 2026 at 01:00 UTC: that night is an hour shorter, and 02:30 is not there.
        ("22:00-07:00", "Europe/Berlin", "2026-03-28T21:00", "2026-03-29T05:00"),
        ("01:00-02:30", "Europe/Berlin", "2026-03-29T00:30", "2026-03-29T01:30"),
        # They go back on 25 October at 01:00 UTC: 02:30 is there twice.
        ("22:00-07:00", "Europe/Berlin", "2026-10-24T20:00", "2026-10-25T06:00"),
        ("01:00-02:30", "Europe/Berlin", "2026-10-25T01:10", "2026-10-25T01:30"),
    ],
)
def test_quiet_hours_are_read_from_the_clock_on_the_wall(hours: str, zone: str, now: str, until: str | None) -> None:
    quiet = QuietHours.of(hours, zone)
    assert quiet is not None
    assert quiet.until(at(now)) == (at(until) if until else None)


@pytest.mark.parametrize("day", ["2026-03-28", "2026-10-24", "2026-06-01"])
@pytest.mark.parametrize("hours", ["22:00-07:00", "01:00-02:30", "02:00-03:00", "02:30-02:00", "00:00-12:00"])
def test_they_always_end_in_time_and_are_over_then(day: str, hours: str) -> None:
    quiet = QuietHours.of(hours, "Europe/Berlin")
    assert quiet is not None
    moment = at(f"{day}T12:00")
    for _ in range(36 * 12):
        moment += timedelta(minutes=5)
        if ends := quiet.until(moment):
            assert timedelta(0) < ends - moment < timedelta(hours=26)
            again = quiet.until(ends)
            assert again is None or again > ends
