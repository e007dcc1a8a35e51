"""What must not be recorded: hostile content of a worktree, and secrets that a change adds.

A worktree is checked before git sees it: `git add` would run the filters of a nested repository, follow what a planted
`.git` says, and record links that lead out of the tree.

The kinds of secrets are those of detect-secrets, without the ones that guess by entropy: hashes, UUIDs and test data
are no secrets. What the owner has in a file already may stay there; a mark such as `pragma: allowlist secret` that
comes with the change means nothing.
"""

from __future__ import annotations

import base64
import binascii
import html
import math
import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from git_ops.errors import UnsafeContent
from monitoring import (
    MASK,
    as_seen,
    ends_of_keys,
    is_deceptive,
    is_git_name,
    keys_in,
    lists_submodules,
    mask_known,
    redact,
)

if TYPE_CHECKING:
    from detect_secrets.plugins.base import RegexBasedDetector

MAX_FILE_BYTES = 10 * 1024 * 1024
"""Larger files that are new or changed are not recorded: they would stay in the history for ever."""
MOST_CHARACTERS = 2 * 1024 * 1024
"""The most added text that is searched; a change with more is not recorded. No answer of a model is as long."""
_LONGEST_PIECE, _OVERLAP, _LOOKED_AT = 4_000, 500, 20_000
_SHORTEST = 8
_GUESSING = {"Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector", "KeywordDetector"}
_CERTAIN = {"Private Key", "JSON Web Token"}
_NAMES = r"(?i:api[_-]?key|auth[_-]?key|access[_-]?key|secret(?:[_-]?key)?|token|passw(?:or)?d|pwd|credentials?)"
_VALUE = r"(?P<value>[^'\"\s]{16,200})"
_ASSIGNED = re.compile(rf"{_NAMES}['\"]?\]?\s*(?::\s*\w+\s*)?[:=]>?\s*[bru]?(?P<quote>['\"]){_VALUE}(?P=quote)")
_UNQUOTED = re.compile(rf"(?:^|[;&|{{}}])[\s\w.-]{{0,200}}?{_NAMES}\s*[:=]\s*{_VALUE}\s*(?:[#;].*)?$")
"""As in ini, YAML and env files, and in shell commands."""
_IN_HEADER = re.compile(
    rf"(?i:authorization|x-api-key|api-key)['\"]?\s*[:=]\s*['\"]?(?:(?i:bearer|basic|token)\s+)?{_VALUE}"
)
_ARGUMENT = re.compile(rf"(?<![\w-])--[\w-]{{0,40}}?{_NAMES}[ =]['\"]?{_VALUE}")
_IN_URL = re.compile(r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}://[^/\s:@'\"]{0,300}:(?P<value>[^/\s@'\"]{16,200})@")
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+|[A-Za-z]*_\w*")
"""Code's own, such as `settings.KEY_2024`."""
_PLACEHOLDER = re.compile(
    r"(?i)example|sample|dummy|placeholder|changeme|your[-_]|x{6}|0{8}|1234567|abcdef|\$\{|<|\*{3}"
)
_LEAST_ENTROPY = 3.6
"""Bits a character of an assigned value has on average; words have less, random keys of letters and digits more."""
_LEAST_DIGITS, _LONG, _ENTROPY_OF_LONG = 3, 32, 4.4
"""Random values of so many letters may have a single digit, or none if they have so many bits a character."""


_LITERAL = r"[rRbBfFuU]{0,2}(?:\"(?:[^\"\\\n]|\\.){0,300}\"|'(?:[^'\\\n]|\\.){0,300}'|`(?:[^`\\\n]|\\.){0,300}`)"
_PIECES = re.compile(rf"{_LITERAL}(?:\s{{0,80}}(?:[+.,\\]\s{{0,80}})?{_LITERAL})+")
"""Texts one behind the other, joined by the language, by an operator, or as the parts of a list."""
_IN_QUOTES = re.compile(_LITERAL)
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{0{0,8}([0-9a-fA-F]{1,6})\}|U([0-9a-fA-F]{8})|([0-7]{2,3})"
    r"|N\{([A-Z0-9 -]{1,80})\})|%([0-9a-fA-F]{2})"
)
_MARKED = ("\\x", "\\u", "\\U", "\\0", "\\1", "\\N", "%", "&#")
"""What a line has in which letters are written by their numbers."""
_FILLED = re.compile(r"(?<![{$])\$?\{\s{0,20}([rRbBuU]?)(['\"])([^'\"{}\n]{0,300})\2\s{0,20}\}")
"""A text that is filled into another one as it stands there."""
_CONTINUED = re.compile(r"\\\r?\n[ \t]{0,80}")
_LINES = {ord(letter): " " for letter in "\r\n\t"}
_NUMBERS = re.compile(r"(?:(?:0x[0-9a-fA-F]{2}|\d{1,3})\s{0,20},\s{0,20}){16,4000}(?:0x[0-9a-fA-F]{2}|\d{1,3})")
_ENCODED = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24,12000}={0,2}")
_PRIVATE = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY")


def check_worktree(path: Path, admin: Path, recorded: Mapping[str, tuple[str, int]]) -> None:
    """Raise UnsafeContent for anything below `path` that must not reach git.

    `admin` is the git directory the worktree belongs to. `recorded` gives target and size of the links and large
    files of the last commit: what is unchanged there is the owner's and passes.
    """
    _check_root(path, admin)
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(path / folder) as entries:
            for entry in entries:
                if not folder and entry.name == ".git":
                    continue
                name = f"{folder}/{entry.name}" if folder else entry.name
                if is_git_name(entry.name):
                    raise UnsafeContent("nested repository", name, "remove it; a repository inside is never touched")
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode):
                    pending.append(name)
                else:
                    _check_file(entry, name, mode, recorded)


def link_escapes(path: str, target: str) -> bool:
    """Whether a link at `path` with `target` may lead out of the tree.

    Only leading `..` are allowed: after a name they could climb out through another link.
    """
    if target.startswith("/") or not target:
        return True
    parts = [part for part in target.split("/") if part not in {"", "."}]
    up = next((number for number, part in enumerate(parts) if part != ".."), len(parts))
    return up > path.count("/") or ".." in parts[up:] or any(is_git_name(part) for part in parts)


def _check_root(path: Path, admin: Path) -> None:
    pointer = path / ".git"
    status = pointer.lstat() if os.path.lexists(pointer) else None
    expected = f"gitdir: {admin}"
    if status is None or not stat.S_ISREG(status.st_mode) or pointer.read_text(errors="replace").strip() != expected:
        raise UnsafeContent("tampered worktree", ".git", "create the worktree anew")


def _check_file(entry: os.DirEntry[str], name: str, mode: int, recorded: Mapping[str, tuple[str, int]]) -> None:
    if stat.S_ISLNK(mode):
        target = str(Path(entry.path).readlink())
        if link_escapes(name, target) and recorded.get(name, ("", 0))[0] != target:
            raise UnsafeContent("link", name, f"it points to {target[:200]!r}, out of the tree; remove it")
    elif not stat.S_ISREG(mode):
        raise UnsafeContent("special file", name, "only regular files are recorded; remove it")
    else:
        size = entry.stat(follow_symlinks=False).st_size
        if size > MAX_FILE_BYTES and recorded.get(name, ("", 0))[1] != size:
            limit = f"{size} bytes are over the limit of {MAX_FILE_BYTES}"
            raise UnsafeContent("huge file", name, f"{limit}; keep data out of the repository")


def refused_name(path: str, *, is_new: bool) -> str:
    """Why a file that agents add or change may not have this name; empty if it may. Tools refuse the same names
    (`file_system/paths.py`); the owner's odd names may stay."""
    if is_new and is_deceptive(path):
        return "its name holds characters that are not shown, or change the direction of writing; choose a plain name"
    if lists_submodules(path):
        return "agents do not add or move submodules; leave it as it was"
    return ""


@dataclass(frozen=True)
class Finding:
    """A secret in an added line (counted from 1); never its value."""

    line: int
    kind: str


def secrets_in(text: str, before: str = "") -> list[Finding]:
    """The secrets in `text` that are not in `before`, its state before the change.

    `before` belongs to the owner: its lines and its secrets may stay.
    """
    for number, kind, value in _otherwise_written(text):
        if value not in before and all(value != known for _, _, known in _otherwise_written(before)):
            return [Finding(number, f"{kind}, written otherwise"), *_as_written(text, before)]
    return _as_written(text, before)


def _as_written(text: str, before: str) -> list[Finding]:
    known = Counter(before.splitlines())
    masked = MASK not in before and MASK in redact(before)
    found = [
        Finding(text.count("\n", 0, begin) + 1, "a private key")
        for begin, end in ends_of_keys(text)
        if text[begin:end] not in before
    ]
    for number, line in enumerate(text.splitlines(), 1):
        if known[line] or len(line) < _SHORTEST:
            known[line] -= 1
            continue
        for kind, value in _values_of_line(line):
            if not value or value not in before:
                found.append(Finding(number, kind))
                break
        else:
            if masked and MASK in line:
                found.append(Finding(number, f"{MASK} in the place of a value that you were not shown"))
    return found


def _otherwise_written(text: str) -> Iterator[tuple[int, str, str]]:
    """Keys that the language puts together: of pieces, of letters by their numbers, or encoded by base64 or hex; each
    with its line and its kind."""
    for found in _PIECES.finditer(text):
        pieces = [piece[0].lstrip("rRbBfFuU")[1:-1] for piece in _IN_QUOTES.finditer(found[0])]
        yield from _keys_of(text, found.start(), _unescaped("".join(pieces)))
    for found in _NUMBERS.finditer(text):
        numbers = [int(each, 0) if each[:2] == "0x" else int(each) for each in re.split(r"[\s,]+", found[0])]
        yield from _keys_of(text, found.start(), "".join(chr(each) for each in numbers if 31 < each < 127))
    for found in _ENCODED.finditer(text):
        if decoded := _decoded(found[0]):
            yield from _keys_of(text, found.start(), decoded)
    at = 0
    for seen in (as_seen(text), _CONTINUED.sub("", text), _FILLED.sub(r"\3", text)):
        if seen != text:
            yield from _keys_of(text, 0, seen)
    for line in text.splitlines(keepends=True):
        if any(mark in line for mark in _MARKED) and (plain := _unescaped(html.unescape(line))) != line:
            yield from _keys_of(text, at, plain)
        at += len(line)


def _keys_of(text: str, at: int, plain: str) -> Iterator[tuple[int, str, str]]:
    views = [plain, _decoded(plain) if len(plain) < _LONGEST_PIECE else ""]
    if keys := [key for view in views for key in (*_known_keys(view), *_private_keys(view))]:
        number = text.count("\n", 0, at) + 1
        yield from ((number, kind, value) for kind, value in keys if value not in text)


def _known_keys(text: str) -> Iterator[tuple[str, str]]:
    for kind, value in keys_in(text):
        is_random = re.search(r"\d", value) or value.isupper() or _entropy(value) >= _LEAST_ENTROPY
        if is_random and not _PLACEHOLDER.search(value):
            yield kind, value


def _private_keys(text: str) -> Iterator[tuple[str, str]]:
    if begin := _PRIVATE.search(text):
        yield "a private key", begin[0]


def _unescaped(text: str) -> str:
    def letter(match: re.Match[str]) -> str:
        *hexadecimal, octal, name, percent = match.groups()
        if name:
            try:
                return unicodedata.lookup(name)
            except KeyError:
                return ""
        number = int(octal, 8) if octal else int(next(filter(None, (*hexadecimal, percent))), 16)
        return chr(number) if number < 0x110000 else ""

    return _ESCAPE.sub(letter, text)


def _decoded(text: str) -> str:
    """The text that base64 or hex stands for; empty if that is none."""
    plain = b""
    try:
        if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", text):
            plain = bytes.fromhex(text)
        elif len(text) >= _SHORTEST:
            body = text.rstrip("=").replace("-", "+").replace("_", "/")
            plain = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        return ""
    shown = plain.decode() if plain.isascii() else ""
    return shown if shown.translate(_LINES).isprintable() else ""


def added_characters(text: str, before: str) -> int:
    """Characters in lines of `text` that `before` does not have."""
    known = set(before.splitlines())
    return sum(len(line) for line in text.splitlines() if line not in known)


def _values_of_line(line: str) -> Iterator[tuple[str, str]]:
    """As `_values`, of a line in pieces that take little time each; they overlap, so that none cuts a key in two. Of a
    very long one the later pieces are looked through for what is known by its beginning or its name."""
    for start in range(0, max(len(line) - _OVERLAP, 1), _LONGEST_PIECE - _OVERLAP):
        piece = line[start : start + _LONGEST_PIECE]
        yield from _values(piece) if start < _LOOKED_AT else _named_values(piece)


def _values(line: str) -> Iterator[tuple[str, str]]:
    """Kinds of the secrets in a line, each with its value if it is known."""
    if mask_known(line) != line:
        yield "a secret of this machine", ""
    for detector in _detectors():
        for match in (match for shape in detector.denylist for match in shape.finditer(line)):
            kind, value = str(detector.secret_type), _value_of(match)
            if any(detector.analyze_string(match[0])) and (kind in _CERTAIN or _is_likely(kind, value)):
                yield kind, value
    yield from _named_values(line)


def _named_values(line: str) -> Iterator[tuple[str, str]]:
    yield from _known_keys(line)
    named = (_ASSIGNED, _UNQUOTED, _IN_HEADER, _ARGUMENT, _IN_URL)
    for match in (match for shape in named for match in shape.finditer(line)):
        if _is_random(match["value"]) and not (match.re is _UNQUOTED and _NAME.fullmatch(match["value"])):
            yield "a key or password in plain text", match["value"]


def _value_of(match: re.Match[str]) -> str:
    """The secret itself, where the pattern has a group for it (a short group is a prefix of it)."""
    value: str = max(filter(None, match.groups()), key=len, default="")
    return value if len(value) >= _SHORTEST else match[0]


def _is_likely(kind: str, value: str) -> bool:
    """Names and sample values sometimes look like a secret."""
    if _PLACEHOLDER.search(value) or not any(character.isdigit() for character in value):
        return False
    return kind != "Basic Auth Credentials" or (len(value) >= _SHORTEST and not re.search(r"[{}%$()<>]", value))


def _is_random(value: str) -> bool:
    digits = sum(character.isdigit() for character in value)
    if len(value) >= _LONG:
        digits += 2 + (_entropy(value) >= _ENTROPY_OF_LONG)
    if digits < _LEAST_DIGITS or _PLACEHOLDER.search(value) or not re.fullmatch(r"[A-Za-z0-9+/=_.~-]+", value):
        return False
    if re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[\d.:T+-]+", value):
        return False
    return _entropy(value) >= _LEAST_ENTROPY


def _entropy(value: str) -> float:
    """Bits a character."""
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())


@cache
def _detectors() -> Sequence[RegexBasedDetector]:
    """Imported on first use: it takes 0.1 s. Nothing is ever verified at a server."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    classes: Mapping[str, type[RegexBasedDetector]] = get_mapping_from_secret_type_to_class()
    return [kind() for kind in classes.values() if kind.__name__ not in _GUESSING]
