"""What is taken out of text before it leaves the process: secrets, and characters that steer a terminal.

Secrets leave no text for logs, database or prompts. They are found in two ways: values known to be secret (registered
when settings are loaded), and shapes that look like secrets. What others wrote could also move a terminal's cursor,
change its title or reverse a line.
"""

from __future__ import annotations

import os
import re
import threading
import unicodedata
from collections.abc import Callable

from monitoring.key_shapes import KEY, KEYS, PRIVATE_KEY, ends_of_keys

MASK = "[redacted]"
_SHORTEST_SECRET = 8

_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_HEADER = re.compile(
    r"(?i)\b(authorization|x-api-key|api-key)(['\"]?\s*[:=]\s*['\"]?)(?:(bearer|basic|token)\s+)?[^\s'\",}\\]+"
)
_ASSIGNED = re.compile(
    r"(?i)\b([A-Z0-9_]*(?:api_?key|access_?key|secret_?key|private_?key|secret|passwd|password|passphrase|_token|_pwd|_pass"
    r"|access_?token|auth_?token))(\\?['\"]?\]?\s*[:=]\s*[bruf]{0,2}\\?['\"]?)([^\s'\",;}&\\]{8,})"
)
_ARGUMENT = re.compile(
    r"(?i)((?<![\w-])--[\w-]{0,40}?(?:api-?key|access-?key|secret(?:-?key)?|token|passw(?:or)?d|passphrase)[ =]['\"]?)"
    r"([^\s'\"]{8,})"
)
_DEFAULT = re.compile(
    r"(?i)((?:getenv|environ\.get|setdefault)\(\s*['\"][\w-]*(?:key|secret|token|passw(?:or)?d|pwd)['\"]\s*,\s*['\"])"
    r"([^\s'\"]{8,})"
)
_QUERY = re.compile(r"(?i)([?&](?:[\w-]*token|[\w-]*key|sig|signature|secret|password)=)([^&\s'\"<>]{12,})")
_LONG_TOKEN = re.compile(
    r"(?i)(\b(?:token|[\w-]{1,40}-token|pwd|auth)\\?['\"]?\s*[:=]\s*[bruf]{0,2}\\?['\"]?)([A-Za-z0-9+/=_.-]{24,})"
)
_CURL = re.compile(r"(\bcurl\b[^\n]{0,200}?\s(?:-u|--user)[ =]['\"]?[^\s:'\"]{1,100}:)([^\s'\"]{4,})")
_URL_CREDENTIALS = re.compile(r"\b([a-z][a-z0-9+.-]{0,30}://)[^/\s:@'\"]{0,300}(?::[^/\s@'\"]{0,1000})?@")
_LONG_KEY = 300
_MAY_BE_KEY = re.compile(r"\S{12,}")
"""No key that is known by its beginning has a blank or is shorter: looking there only takes a third of the time."""
_ENVIRONMENT_NAME = re.compile(r"(?i)(key|token|secret|password|passwd|credential)s?$")

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_INVISIBLE = (
    r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
_UNSEEN = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,100}[ -/]{0,10}[@-~]"  # CSI: colours, erasing, moving the cursor
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90-\x9f\n]{0,2000}(?:\x07|\x1b\\|\x9c)"  # OSC and other strings
    r"|\x1b[ -/]{0,3}[0-~]"
    r"|(?:\\(?:x1b|X1B|x1B|u001b|u001B|u\{1b\}|033|e)|\^\[)\[[0-?]{0,100}[ -/]{0,10}[@-~]"  # CSI as programs quote it
    rf"|[{_INVISIBLE}]"
)
"""What a terminal or a page does not show, of length 1 or more: a key is one with it inside, too."""
_HIDDEN = re.compile(
    "[\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff"
    "\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_JOINERS = re.compile("[\u200c\u200d\ufe0e\ufe0f]+")
_JOINED, _KEYCAP, _MOST_JOINERS = {"So", "Sk", "Lo", "Mn", "Mc"}, "\ufe0f\u20e3", 2
_STRUCK = re.compile(r"[^\x08\n]\x08")
"""A letter that the next one is written over, as in manual pages."""

_known: set[str] = set()
_lock = threading.Lock()


def register_secret(value: str | None) -> None:
    """From now on `value` is masked wherever it appears. Values under 8 characters are too common to mask."""
    if value and len(value) >= _SHORTEST_SECRET:
        with _lock:
            _known.add(value)


def register_environment() -> None:
    """Register every environment variable whose name says that it is a secret."""
    for name, value in os.environ.items():
        if _ENVIRONMENT_NAME.search(name):
            register_secret(value)


def mask_known(text: str) -> str:
    """`text` with the registered secrets masked. What only looks like one stays, since code must not change, and what
    is not shown as long as it hides none."""
    masked = _without_known(text)
    if _known and _UNSEEN.search(masked):
        seen = as_seen(masked)
        found = _without_known(seen)
        return masked if found == seen else found
    return masked


def _without_known(text: str) -> str:
    for value in sorted(_known, key=len, reverse=True):
        text = text.replace(value, MASK)
    return text


def redact(text: str) -> str:
    """`text` with secrets masked as `[redacted]`; the text around them is kept.

    Secrets are seen as a reader sees them: colours, backspaces and invisible characters inside do not hide one. The
    lines that hold such a secret come without them.
    """
    if len(text) < _SHORTEST_SECRET:
        return text
    if _UNSEEN.search(text):
        for view in (as_seen, _as_printed) if "\b" in text else (as_seen,):
            text = _masked_as(view, text)
    return _masked(text)


def as_seen(text: str) -> str:
    """`text` without what is not shown: control sequences and invisible characters. A key behind one, which would be
    in a word without it, stands behind a blank."""
    pieces = _UNSEEN.split(text)
    if len(pieces) == 1:
        return text
    plain, at, kept, apart = "".join(pieces), 0, 0, list[str]()
    for piece in pieces[:-1]:
        at += len(piece)
        if piece and plain[at - 1].isalnum() and KEY.match(plain, at, at + _LONG_KEY):
            apart.append(plain[kept:at])
            kept = at
    return " ".join([*apart, plain[kept:]])


def _as_printed(text: str) -> str:
    """As `as_seen`; a backspace takes the letter before it away."""
    return as_seen(_STRUCK.sub("", text))


def _masked_as(view: Callable[[str], str], text: str) -> str:
    """`text` with the secrets masked that are seen in a view of it, line by line where that is enough."""
    whole = view(text)
    covered = _masked(whole)
    if covered == whole:
        return text
    if covered.count("\n") != whole.count("\n"):  # a key of many lines
        return covered
    lines = []
    for line in text.splitlines(keepends=True):
        seen = view(line) if _UNSEEN.search(line) else line
        masked = _masked(seen) if seen != line else line
        lines.append(line if masked == seen else masked)
    done = _masked("".join(lines))
    seen = view(done)
    return done if _masked(seen) == seen else covered


def _masked(text: str) -> str:
    text = mask_known(text)
    text = _PEM.sub(MASK, text)
    kept, pieces = 0, []
    for begin, end in ends_of_keys(text):
        pieces += [text[kept:begin], MASK]
        kept = end
    text = "".join([*pieces, text[kept:]])
    text = _MAY_BE_KEY.sub(lambda run: KEYS.sub(MASK, run[0]), PRIVATE_KEY.sub(MASK, text))
    text = _URL_CREDENTIALS.sub(rf"\1{MASK}@", text)
    text = _HEADER.sub(rf"\1\2{MASK}", text)
    for shape in (_ARGUMENT, _DEFAULT, _QUERY, _LONG_TOKEN, _CURL):
        text = shape.sub(lambda match: match[1] + MASK if re.search(r"\d", match[2]) else match[0], text)
    return _ASSIGNED.sub(_mask_assigned, text)


def _mask_assigned(match: re.Match[str]) -> str:
    value = match[3]
    # Code such as `password = get_password(user)` or `api_key=settings.api_key` names a secret but does not hold one.
    if re.fullmatch(r"[A-Za-z_][\w.]*\(?.*", value) and not re.search(r"\d", value):
        return match[0]
    if re.fullmatch(r"[A-Za-z_.]+[(\[][\w.\[\]():+-]*", value):  # a call or an item, with a number in it
        return match[0]
    return f"{match[1]}{match[2]}{MASK}"


def whole_text(text: str) -> str:
    """`text` with pairs of surrogates joined, and single ones, which no file and no database takes, replaced."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def without_unseen(text: str) -> str:
    """`text` without what a model reads and a person does not see. What joins letters or picks the look of an emoji
    stays behind one of those."""
    return text if text.isascii() else _JOINERS.sub(_needed, _HIDDEN.sub("", text))


def _needed(joiners: re.Match[str]) -> str:
    before = joiners.string[joiners.start() - 1 : joiners.start()]
    is_joined = unicodedata.category(before or " ") in _JOINED or joiners.string.startswith(_KEYCAP, joiners.start())
    return joiners[0] if is_joined and len(joiners[0]) <= _MOST_JOINERS else ""


def without_steering(text: str) -> str:
    """`text` without control characters (line ends and tabs stay) and without marks of writing direction."""
    return _STEERING.sub("", text)


def escaped_json(text: str) -> str:
    """The JSON document `text` with those characters as \\u escapes, which mean the same to a JSON reader."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
