"""JSON lines to stdout and to a rotated file, each with the task, agent, flow and attempt it belongs to."""

from __future__ import annotations

import json
import logging
import os
import select
import stat
import sys
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from functools import cached_property
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from config import MonitoringSettings
from monitoring.redaction import escaped_json, redact, register_environment

if TYPE_CHECKING:
    import structlog

_KEPT_FILES = 20
_READER_PAUSE = 1_000
"""Milliseconds that the first line waits for a reader; those after it do not wait, until one is read."""
_AT_ONCE = 4096
"""Bytes that go into a pipe which has room for any (PIPE_BUF of Linux): writing more could wait."""
_DAY = 86_400


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; call it as `log.info("what happened", key=value)`."""
    return cast("structlog.stdlib.BoundLogger", _Logger(name))


class _Logger:
    """Imports the library with the first line: most commands write none, and it is a tenth of their start."""

    def __init__(self, name: str) -> None:
        self._name = name

    @cached_property
    def _logger(self) -> structlog.stdlib.BoundLogger:
        import structlog

        return structlog.stdlib.get_logger(self._name)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._logger, attribute)


@contextmanager
def bound(**values: object) -> Iterator[None]:
    """Within this block every line of this thread carries `values` (task=…, agent=…, flow=…, attempt=…)."""
    from structlog.contextvars import bound_contextvars

    with bound_contextvars(**values):
        yield


@contextmanager
def silenced() -> Iterator[None]:
    """Inside it nothing is logged: what happens there is told in other words."""
    import structlog

    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def configure_logging(settings: MonitoringSettings, logs: Path, *, stdout: bool = True) -> None:
    """Send all logging, ours and the libraries', as JSON lines to `logs/agents.log` and, if asked, to stdout."""
    import structlog

    register_environment()
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _redacted,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(_json, ensure_ascii=False, default=str),
        ],
    )
    handlers: list[logging.Handler] = [_file_handler(settings, logs)]
    if stdout and sys.stdout is not None:
        handlers.append(_Stream(sys.stdout))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(settings.level)
    for noisy in (
        "httpx",
        "httpx2",
        "httpcore",
        "httpcore2",
        "openai",
        "anthropic",
        "alembic",
        "dbos",
        "git",
        "urllib3",
    ):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def _json(event: object, **options: Any) -> str:
    return escaped_json(json.dumps(event, **options))


def _file_handler(settings: MonitoringSettings, logs: Path) -> logging.Handler:
    logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    current, keep_seconds = logs / "agents.log", settings.keep_days * _DAY
    _delete_old(current, keep_seconds)
    return _DatedRotation(
        current,
        maxBytes=settings.max_mb * 1024 * 1024,
        backupCount=_KEPT_FILES,
        encoding="utf-8",
        keep_seconds=keep_seconds,
    )


class _Undisturbed(logging.Handler):
    """Lines that cannot be written (a full disk, a reader that is gone, a closed stream) are dropped here without a
    word; other handlers have them, and once writing works again, all is as before."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Print a traceback only for what is a bug of ours."""
        if not isinstance(sys.exc_info()[1], OSError | ValueError):
            super().handleError(record)


class _Stream(_Undisturbed, logging.StreamHandler):  # type: ignore[type-arg]  # it is no generic at run time
    """Standard output. Work does not wait for its reader: while nobody reads (a pager, Ctrl-S, a collector of logs that
    stands still), lines are left out, and the next one that is read says how many."""

    _stuck = False
    _left_out = 0
    _rest = b""
    """Of a line whose beginning is with the reader."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, if it can be written within a moment."""
        descriptor = _waits_for_reader(self.stream)
        if descriptor is None:
            super().emit(record)
            return
        try:
            line = (self.format(record) + self.terminator).encode(self.stream.encoding or "utf-8", "backslashreplace")
            if self._rest:
                self._rest = self._unsent(descriptor, self._rest)
            if self._rest:
                self._left_out += 1
                return
            if self._left_out:
                told = {
                    "message": "lines were left out while nobody read them; agents.log has them",
                    "level": "warning",
                }
                line = (json.dumps(told | {"lines": self._left_out}) + self.terminator).encode() + line
            rest = self._unsent(descriptor, line)
            if len(rest) == len(line):
                self._left_out += 1
            else:
                self._left_out, self._rest = 0, rest
        except Exception:  # noqa: BLE001 - as every handler of the library: a line must not end what it tells of
            self.handleError(record)

    def _unsent(self, descriptor: int, data: bytes) -> bytes:
        """Write `data` as far as it can be written; the rest of it."""
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        while data and poll.poll(0 if self._stuck else _READER_PAUSE):
            data = data[os.write(descriptor, data[:_AT_ONCE]) :]
            self._stuck = False
        self._stuck = bool(data)
        return data


def _waits_for_reader(stream: TextIO) -> int | None:
    """The descriptor of a stream whose writer waits for a reader: of a pipe, a socket or a terminal; else None."""
    try:
        descriptor = stream.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, ValueError, AttributeError):
        return None
    return None if stat.S_ISREG(mode) else descriptor


class _DatedRotation(_Undisturbed, RotatingFileHandler):
    """Rotated by size, deleted by age; made anew when somebody deletes or moves the file or its folder."""

    def __init__(self, path: Path, *, maxBytes: int, backupCount: int, encoding: str, keep_seconds: float) -> None:
        self._keep_seconds = keep_seconds
        super().__init__(path, maxBytes=maxBytes, backupCount=backupCount, encoding=encoding)

    def _open(self) -> TextIOWrapper:
        """Readable by the owner only, whatever the umask."""
        os.close(os.open(self.baseFilename, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600))
        return super()._open()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line to the file that is at the path now."""
        try:
            if self.stream is not None and not self._is_there():
                self.stream.close()
                self.stream = None
            if self.stream is None:
                Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except (OSError, ValueError):
            self.stream = None
        super().emit(record)

    def _is_there(self) -> bool:
        try:
            there, ours = Path(self.baseFilename).stat(), os.fstat(self.stream.fileno() if self.stream else -1)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def doRollover(self) -> None:
        super().doRollover()
        _delete_old(Path(self.baseFilename), self._keep_seconds)


def _delete_old(current: Path, keep_seconds: float) -> None:
    """Delete the rotated files of `current` that are older than so many seconds."""
    for old in current.parent.glob(current.name + ".*"):
        if time.time() - old.stat().st_mtime > keep_seconds:
            old.unlink(missing_ok=True)


def _redacted(logger: logging.Logger, method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    """Mask secrets in every value, however deeply nested."""
    for key, value in event.items():
        if not key.startswith("_"):
            event[key] = _clean(value)
    return event


def _clean(value: object) -> object:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _clean(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(inner) for inner in value]
    if value is None or isinstance(value, (int, float, bool)):
        return value
    return redact(str(value))
