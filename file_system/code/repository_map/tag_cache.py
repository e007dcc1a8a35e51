"""Tags of files kept on disk by the digest of their content, so that only what changed is parsed again.

It is a cache and nothing else: a file that is broken, or of another edition, is thrown away and made anew, and one
that is locked or cannot be written is done without.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from file_system.code.repository_map.languages import edition
from file_system.code.repository_map.tags import Tags
from monitoring import redact

_MOST_BYTES = 64 * 1024 * 1024
_WAIT_SECONDS = 1.0
_AT_ONCE = 500
"""Digests in one question; older SQLite takes no more than 999 variables."""
_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
_PASSING |= {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
"""Errors that say nothing about what the file holds."""


class TagCache:
    """Tags by digest in one SQLite file of at most 64 MiB of tags; those not asked for longest go first."""

    def __init__(self, folder: Path, *, most_bytes: int = _MOST_BYTES) -> None:
        self._file = folder / "repository_map.sqlite"
        self._most_bytes = most_bytes

    def load(self, digests: Sequence[str]) -> dict[str, Tags]:
        """The tags that are kept for any of `digests`; those that do not read as tags are left out."""
        found: dict[str, Tags] = {}
        with self._surviving(), self._opened() as connection:
            for start in range(0, len(digests), _AT_ONCE):
                part = digests[start : start + _AT_ONCE]
                marks = ",".join("?" * len(part))
                for digest, text in connection.execute(
                    f"SELECT digest, tags FROM tags WHERE digest IN ({marks})",  # noqa: S608  # question marks only
                    part,
                ):
                    with suppress(ValidationError):
                        found[digest] = Tags.model_validate_json(text)
        return found

    def keep(self, new: Mapping[str, Tags], used: Sequence[str]) -> None:
        """Add `new` tags, note that `used` ones were of use, and let the oldest go where there are too many."""
        now = int(time.time())
        with self._surviving(), self._opened() as connection, connection:
            rows = [(digest, _without_secrets(tags).model_dump_json(), now) for digest, tags in new.items()]
            connection.executemany("INSERT OR REPLACE INTO tags (digest, tags, used) VALUES (?, ?, ?)", rows)
            connection.executemany("UPDATE tags SET used = ? WHERE digest = ?", [(now, digest) for digest in used])
            connection.execute(
                "DELETE FROM tags WHERE digest IN (SELECT digest FROM (SELECT digest, "
                "sum(length(tags)) OVER (ORDER BY used DESC, digest) AS total FROM tags) WHERE total > ?)",
                (self._most_bytes,),
            )

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with closing(sqlite3.connect(self._file, timeout=_WAIT_SECONDS)) as connection:
            (found,) = connection.execute("PRAGMA user_version").fetchone()
            if found != edition():
                with connection:
                    connection.execute("DROP TABLE IF EXISTS tags")
                    connection.execute("CREATE TABLE tags (digest TEXT PRIMARY KEY, tags TEXT, used INTEGER)")
                    connection.execute(f"PRAGMA user_version = {edition()}")
            yield connection

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
            if code & 0xFF not in _PASSING:
                with suppress(OSError):
                    self._file.unlink(missing_ok=True)
        except OSError:
            pass  # no folder to keep it in


def _without_secrets(tags: Tags) -> Tags:
    """A constant's signature holds its value, which may be a key of the owner's: no database keeps it."""
    masked = [each.model_copy(update={"signature": redact(each.signature)}) for each in tags.definitions]
    return tags.model_copy(update={"definitions": tuple(masked)})
