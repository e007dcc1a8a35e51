"""Log lines are JSON, say whose work they are about, and hold no secret."""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import MonitoringSettings
from monitoring import bound, configure_logging, get_logger, redact, register_secret

ROOT = Path(__file__).parents[2]
PROVIDER_KEY = "sk-ant-" + "a1b2c3d4" * 4


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "agents.log").read_text(encoding="utf-8").splitlines()]


def test_every_line_is_json_and_bears_what_is_bound(tmp_path: Path) -> None:
    configure_logging(MonitoringSettings(), tmp_path, stdout=False)
    with bound(task="t-1", agent="qa", flow="code", attempt=2):
        get_logger("x").info("tests written", count=3)
    logging.getLogger("some.library").warning("from %s", "outside")

    ours, theirs = lines(tmp_path)
    assert ours["message"] == "tests written"
    assert (ours["task"], ours["agent"], ours["flow"], ours["attempt"], ours["count"]) == ("t-1", "qa", "code", 2, 3)
    assert ours["level"] == "info"
    assert str(ours["time"]).endswith("Z")
    assert theirs["message"] == "from outside"
    assert "task" not in theirs


def test_stdout_gets_the_same_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(MonitoringSettings(), tmp_path)
    get_logger("x").info("hello")

    assert json.loads(capsys.readouterr().out)["message"] == "hello"


def test_the_level_comes_from_the_settings(tmp_path: Path) -> None:
    configure_logging(MonitoringSettings(level="WARNING"), tmp_path, stdout=False)
    get_logger("x").info("not this")
    get_logger("x").warning("this")

    assert [line["message"] for line in lines(tmp_path)] == ["this"]


def test_secrets_are_masked_in_messages_values_and_tracebacks(tmp_path: Path) -> None:
    configure_logging(MonitoringSettings(), tmp_path, stdout=False)
    register_secret("correct-horse-battery")
    log = get_logger("x")
    log.info("key is correct-horse-battery", nested={"a": ["https://me:pw@host/x"]})
    try:
        raise ValueError(PROVIDER_KEY)
    except ValueError:
        log.exception("failed")

    text = (tmp_path / "agents.log").read_text(encoding="utf-8")
    assert "correct-horse" not in text
    assert "me:pw" not in text
    assert PROVIDER_KEY not in text
    assert "ValueError" in text


def test_a_full_log_is_turned_over_and_old_ones_go(tmp_path: Path) -> None:
    old = tmp_path / "agents.log.9"
    old.write_text("old\n", encoding="utf-8")
    long_ago = time.time() - 8 * 86_400
    os.utime(old, (long_ago, long_ago))
    configure_logging(MonitoringSettings(max_mb=1), tmp_path, stdout=False)
    assert not old.exists()
    for _ in range(12):
        get_logger("x").info("x" * 100_000)

    assert (tmp_path / "agents.log.1").exists()
    assert (tmp_path / "agents.log").stat().st_size < 1024 * 1024


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abcdef.ghijkl", "abcdef.ghijkl"),
        ('{"x-api-key": "0123456789abcdef"}', "0123456789abcdef"),
        ("git clone https://user:hunter2hunter2@example.org/r.git", "hunter2hunter2"),
        ("https://ghp_abcdefghijklmnopqrstuvwxyz0123456789@github.com/o/r", "ghp_abcdefghij"),
        ("OPENAI_API_KEY=abc123def456ghi", "abc123def456ghi"),
        ("sk-proj-abcdefghijklmnopqrstuvwx", "sk-proj-abcdefghijkl"),
        ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
    ],
)
def test_shapes_of_secrets_are_masked(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert "[redacted]" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "assert slugify('A b') == 'a-b'",
        "password = getpass.getpass(prompt)",
        "api_key=settings.api_key",
        "def token(self) -> str: ...",
        "https://example.org/path?q=1",
        "max_tokens = 2000",
    ],
)
def test_ordinary_code_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_a_quoted_secret_in_json_is_masked_and_the_json_stays_whole() -> None:
    for said in ('run "password=hunter2hunter"', 'send "Authorization: Bearer abcdef.ghijkl"'):
        masked = redact(json.dumps({"text": said, "more": 1}))
        assert "hunter2" not in masked
        assert "ghijkl" not in masked
        assert json.loads(masked)["more"] == 1


def test_lines_go_on_when_the_file_or_its_folder_is_gone_and_no_traceback_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    logs = tmp_path / "logs"
    configure_logging(MonitoringSettings(), logs, stdout=False)
    log = get_logger("test")
    log.info("one")
    (logs / "agents.log").rename(logs / "mine.log")
    log.info("two")
    shutil.rmtree(logs)
    log.info("three")
    assert "three" in (logs / "agents.log").read_text()
    shutil.rmtree(logs)
    logs.write_text("a file")
    log.info("four")  # nowhere to go
    logs.unlink()
    log.info("five")
    told = (logs / "agents.log").read_text()
    assert "five" in told and "four" not in told
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("redirection", ["| true", ">&-", ">/dev/full", "2>&- | true"])
def test_a_reader_that_is_gone_gets_no_tracebacks(tmp_path: Path, redirection: str) -> None:
    program = (
        "import sys; from pathlib import Path; from cli.streams import prepare_streams; prepare_streams()\n"
        "from config import MonitoringSettings; from monitoring import configure_logging, get_logger\n"
        f"configure_logging(MonitoringSettings(), Path({str(tmp_path)!r}))\n"
        "for number in range(200): get_logger('x').info('line', number=number, text='x' * 2000)\n"
        "import os; os._exit(0)\n"
    )
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(program)} {redirection}"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "agents.log").read_text().count("\n") == 200


def test_a_reader_that_stands_still_holds_nothing_up_and_learns_how_much_it_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a pager, after Ctrl-S, or when what collects the log hangs: each is a pipe that is full."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", encoding="utf-8") as stream, os.fdopen(reader, "rb", buffering=0) as read:
        monkeypatch.setattr(sys, "stdout", stream)
        configure_logging(MonitoringSettings(), tmp_path)
        log = get_logger("x")
        for number in range(300):
            log.info("line", number=number, text="x" * 2000)
        assert (tmp_path / "agents.log").read_text().count("\n") == 300

        told = b""
        os.set_blocking(reader, False)
        while part := read.read(65536):
            told += part
        log.info("read again")
        told += read.read(65536) or b""
        shown = [json.loads(line) for line in told.decode().splitlines()]
    missed = next(line["lines"] for line in shown if "left out" in str(line["message"]))
    assert [line["number"] for line in shown if "number" in line] == list(range(300 - missed))
    assert shown[-1]["message"] == "read again"


def test_characters_that_an_encoding_lacks_are_escaped() -> None:
    program = "from cli.streams import prepare_streams; prepare_streams(); print('Grüße \\u2713')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.stdout == "Gr\\xfc\\xdfe \\u2713\n"
