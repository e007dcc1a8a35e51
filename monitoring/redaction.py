"""What is taken out of text before it leaves the process: secrets, and characters that steer a terminal.

Secrets leave no text for logs, database or prompts. They are found in two ways: values known to be secret (registered
when settings are loaded), and shapes that look like secrets. What others wrote could also move a terminal's cursor,
change its title or reverse a line.
"""

from __future__ import annotations

import os
import re
import threading

from monitoring.key_shapes import KEYS, PRIVATE_KEY, ends_of_keys

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
_ENVIRONMENT_NAME = re.compile(r"(?i)(key|token|secret|password|passwd|credential)s?$")

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

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
    """`text` with the registered secrets masked. What only looks like one stays, since code must not change."""
    for value in sorted(_known, key=len, reverse=True):
        text = text.replace(value, MASK)
    return text


def redact(text: str) -> str:
    """`text` with secrets masked as `[redacted]`; the text around them is kept."""
    if len(text) < _SHORTEST_SECRET:
        return text
    text = mask_known(text)
    text = _PEM.sub(MASK, text)
    kept, pieces = 0, []
    for begin, end in ends_of_keys(text):
        pieces += [text[kept:begin], MASK]
        kept = end
    text = "".join([*pieces, text[kept:]])
    text = KEYS.sub(MASK, PRIVATE_KEY.sub(MASK, text))
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


def without_steering(text: str) -> str:
    """`text` without control characters (line ends and tabs stay) and without marks of writing direction."""
    return _STEERING.sub("", text)


def escaped_json(text: str) -> str:
    """The JSON document `text` with those characters as \\u escapes, which mean the same to a JSON reader."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
