"""The tags of one file: its definitions, and the names its code uses.

Tags of unchanged files are cached on disk.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from tree_sitter import Node, Point, QueryCursor, Tree

from file_system.code.languages import Grammar, grammars_version
from monitoring import redact

_LONGEST_SIGNATURE = 140
_LONGEST_CONSTANT = 80
_MOST_DEFINITIONS = 1000
_MOST_NAMES = 3000
_PARSING_SECONDS = 1.0
"""A file that takes longer was not written by a person."""
_NAME = re.compile(r"[^\W\d][\w$]{2,60}")
_BLANK = re.compile(r"\s+")
_INNER_BLANK = re.compile(r"([(\[]) |,? ([)\]])")
_MOST_BYTES = 64 * 1024 * 1024
_WAIT_SECONDS = 1.0
_AT_ONCE = 500
"""Digests in one question; older SQLite takes no more than 999 variables."""
_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Definition(_Frozen):
    """Something a file defines, but for what is local to a function. `line` counts from 1."""

    name: str
    """Empty for a group of definitions that defines no name, such as Rust's `impl`."""
    signature: str
    """As in the source up to the body, on one line: `def add(a: int) -> int`."""
    line: int
    depth: int = 0
    """Definitions around it, such as the class of a method."""


class Tags(_Frozen):
    """A file's definitions in the order of its lines, and how often its code (not its comments) uses which name."""

    definitions: tuple[Definition, ...] = ()
    uses: dict[str, int] = {}


def tags_of(source: bytes, grammar: Grammar) -> Tags:
    """Read the tags of a file. What cannot be parsed in a second has none; syntax errors are skipped."""
    tree = _parsed(source, grammar)
    if tree is None:
        return Tags()
    captures = QueryCursor(grammar.query).captures(tree.root_node)
    source = _without(source, captures.pop("comment", []))
    code = _without(source, captures.pop("text", []))
    names = Counter(_NAME.findall(code.decode("utf-8", "replace")))
    nodes = sorted(
        ((node, kind) for kind, found in captures.items() for node in found),
        key=lambda item: (item[0].start_byte, -item[0].end_byte),
    )
    definitions = tuple(islice(_outer(nodes, source), _MOST_DEFINITIONS))
    return Tags(definitions=definitions, uses=dict(names.most_common(_MOST_NAMES)))


def _without(source: bytes, nodes: list[Node]) -> bytes:
    """The source with blanks in the place of `nodes`."""
    code = bytearray(source)
    for node in nodes:
        code[node.start_byte : node.end_byte] = b" " * (node.end_byte - node.start_byte)
    return bytes(code)


def _parsed(source: bytes, grammar: Grammar) -> Tree | None:
    deadline = time.monotonic() + _PARSING_SECONDS

    def rest(offset: int, _: Point) -> bytes:
        return source[offset : offset + 65_536]

    try:
        return grammar.parser.parse(rest, progress_callback=lambda *_: time.monotonic() > deadline)
    except ValueError:  # given up
        return None


def _outer(nodes: list[tuple[Node, str]], source: bytes) -> Iterator[Definition]:
    """The definitions of `nodes`, which are in the order of the source, without those inside of functions."""
    around: list[tuple[int, str]] = []
    for node, kind in nodes:
        while around and around[-1][0] <= node.start_byte:
            around.pop()
        if any(outer == "function" for _, outer in around):
            continue
        name = "" if kind == "group" else _name(node, source)
        if name or kind == "group":
            signature = _signature(node, kind, source)
            yield Definition(name=name, signature=signature, line=node.start_point.row + 1, depth=len(around))
        around.append((node.end_byte, kind))


def _name(node: Node, source: bytes) -> str:
    named = node.child_by_field_name("name") or node.child_by_field_name("left")
    if named is not None and named.type == "member_expression":  # exports.f = …
        named = named.child_by_field_name("property")
    return source[named.start_byte : named.end_byte].decode("utf-8", "replace")[:60] if named is not None else ""


def _signature(node: Node, kind: str, source: bytes) -> str:
    value = node.child_by_field_name("value") or node.child_by_field_name("right")
    body = node.child_by_field_name("body") or (value.child_by_field_name("body") if value is not None else None)
    text = source[node.start_byte : body.start_byte if body is not None else node.end_byte].decode("utf-8", "replace")
    if body is None:
        text = next(iter(text.splitlines()), "")
    text = _INNER_BLANK.sub(r"\1\2", _BLANK.sub(" ", text)).strip().removesuffix("=>").rstrip(" :{")
    longest = _LONGEST_CONSTANT if kind == "constant" else _LONGEST_SIGNATURE
    return text if len(text) <= longest else text[: longest - 1] + "…"


_PASSING |= {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
"""Errors that say nothing about the content of the file."""


class TagCache:
    """Tags by digest in one SQLite file of at most 64 MiB of tags; the least recently used go first."""

    def __init__(self, folder: Path, *, most_bytes: int = _MOST_BYTES) -> None:
        self._file = folder / "repository_map.sqlite"
        self._most_bytes = most_bytes

    def load(self, digests: Sequence[str]) -> dict[str, Tags]:
        """The cached tags of `digests`; unreadable ones are left out."""
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
        """Add `new` tags, mark `used` ones as used, and delete the least recently used beyond the limit."""
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
            if found != grammars_version():
                with connection:
                    connection.execute("DROP TABLE IF EXISTS tags")
                    connection.execute("CREATE TABLE tags (digest TEXT PRIMARY KEY, tags TEXT, used INTEGER)")
                    connection.execute(f"PRAGMA user_version = {grammars_version()}")
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
    """A constant's signature has its value, which may be a secret of the owner: it is not stored."""
    masked = [each.model_copy(update={"signature": redact(each.signature)}) for each in tags.definitions]
    return tags.model_copy(update={"definitions": tuple(masked)})
