from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from memory import new_task_id


def test_ids_are_short_and_can_be_read_aloud() -> None:
    assert re.fullmatch(r"t-[0-9a-hjkmnp-tv-z]{12}", new_task_id())


def test_ids_sort_by_the_time_they_were_made() -> None:
    ids = [new_task_id() for _ in range(5000)]
    assert ids == sorted(set(ids))


def test_ids_of_many_threads_are_unique() -> None:
    with ThreadPoolExecutor(16) as pool:
        batches = list(pool.map(lambda _: [new_task_id() for _ in range(500)], range(16)))
    assert len({task_id for batch in batches for task_id in batch}) == 8000


def test_order_holds_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_task_id()
    yesterday = time.time() - 86_400
    monkeypatch.setattr(time, "time", lambda: yesterday)
    assert new_task_id() > first
