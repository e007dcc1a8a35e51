"""Short task ids that sort by time: `t-` and twelve characters of Crockford's base32, without i, l, o and u.

Forty bits of milliseconds since 2025 (enough until 2059) and twenty random bits. Within a process ids strictly
increase, whatever the clock does; two processes collide only in the same millisecond and then one time in a million.
"""

from __future__ import annotations

import secrets
import threading
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_EPOCH_MS = 1_735_689_600_000  # 2025-01-01T00:00:00Z
_RANDOM_BITS = 20
_LENGTH = 12

_lock = threading.Lock()
_last = 0


def new_task_id() -> str:
    """A new id, greater than every id this process made before."""
    global _last  # noqa: PLW0603  # the clock can stand still or go back; order must hold across all threads
    moment = int(time.time() * 1000) - _EPOCH_MS
    with _lock:
        _last = max(_last + 1, (moment << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS))
        number = _last
    characters = [_ALPHABET[(number >> shift) & 31] for shift in range(5 * (_LENGTH - 1), -1, -5)]
    return "t-" + "".join(characters)
