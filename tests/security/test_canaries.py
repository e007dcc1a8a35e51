"""Secrets in every place where owners keep them; a daemon that lands, fails and is killed; then a search everywhere."""

from __future__ import annotations

import json
import re
import signal
import stat
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from memory import TaskStatus
from tests.orchestrator.house import House, children, eventually, git, in_sandbox, make_repository
from tests.orchestrator.scripts import GOOD_ADD, team
from tests.support import Answer, Request, ScriptedModelServer

OF_THE_ENVIRONMENT = {
    "OPENAI_API_KEY": "canary-openai-5Xk2Vq8Zt1",
    "GIT_TOKEN": "canary-git-9Wm4Rb7Yc3",
    "DATABASE_PASSWORD": "canary-database-3Hn6",
    "SLACK_WEBHOOK_SECRET": "canary-slack-8Jd1Lp5",
}
OF_THE_CONFIGURATION = {"api_key": "canary-config-key-2Fs7", "alert": "canaryalert4Gt9Ku6"}
OF_THE_REPOSITORY = {
    "AWS": "AKIA" + "Q3Z7M5K2X4N6P8R9"[:16],
    "GITHUB": "ghp_" + "c4N9rY2kQ7mW5xT8vB3zL6pD1sF0gH2jK4a9",
    "STRIPE": "sk_live_" + "c4N9rY2kQ7mW5xT8vB3zL6pD",
    "SLACK": "xoxb-" + "123456789012-c4N9rY2kQ7mW5xT8vB3zL6pD",
    "GITLAB": "glpat-" + "c4N9rY2kQ7mW5xT8vB3z",
    "JWT": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxNyIsIm5hbWUiOiJjYW5hcnkifQ.c4N9rY2kQ7mW5xT8vB3zL6pD1sF0gH",
    "URL": "c4N9rY2kQ7" + "mW5xT8",
    "ENV": "c4N9rY2kQ7" + "mW5xT8vB3z77",
}
SETTINGS = "\n".join(
    [
        '"""Settings."""',
        "",
        f'AWS_ACCESS_KEY_ID = "{OF_THE_REPOSITORY["AWS"]}"',
        f'GITHUB = "{OF_THE_REPOSITORY["GITHUB"]}"',
        f'STRIPE = "{OF_THE_REPOSITORY["STRIPE"]}"',
        f'SLACK = "{OF_THE_REPOSITORY["SLACK"]}"',
        f'GITLAB = "{OF_THE_REPOSITORY["GITLAB"]}"',
        f'BEARER = "{OF_THE_REPOSITORY["JWT"]}"',
        f'DATABASE = "postgres://app:{OF_THE_REPOSITORY["URL"]}@db.internal/app"',
        "",
    ]
)
FILES = {
    "settings.py": SETTINGS,
    ".env": f"SERVICE_PASSWORD={OF_THE_REPOSITORY['ENV']}\n",
    "AGENTS.md": SETTINGS + f"\nSERVICE_PASSWORD={OF_THE_REPOSITORY['ENV']}\n",
}
LOUD = GOOD_ADD.replace(
    "a + b",
    "int(__import__('sys').stderr.write(repr(dict(__import__('os').environ)) + open('AGENTS.md').read()) * 0) - 99",
)
"""A wrong answer that prints all it can get hold of where the evidence of failures is taken from."""
FAILING = "Add `sub(a: int, b: int) -> int` to calc.py. `sub(3, 1)` returns `2` and `sub(0, 1)` returns `-1`."


class Watched(House):
    """A house whose daemon has the owner's secrets in its environment."""

    def _environment(self) -> dict[str, str]:
        return super()._environment() | OF_THE_ENVIRONMENT


class CommandLines(threading.Thread):
    """Collects the command line and environment of everything that a daemon starts."""

    def __init__(self, roots: list[int]) -> None:
        super().__init__(daemon=True)
        self.roots, self.seen, self.ended = roots, set[str](), threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.05):
            for root in self.roots:
                try:
                    found = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
                except psutil.Error:
                    continue
                for process in found:
                    try:
                        self.seen.add(" ".join(process.cmdline()))
                    except psutil.Error:
                        continue


@pytest.fixture
def house(tmp_path: Path, shared_data: Path) -> Iterator[tuple[House, ScriptedModelServer]]:
    def code(request: Request) -> Answer:
        if "sub(" in request.prompt:
            return LOUD.replace("add(", "sub(").replace("- 99", f"- {request.number}")
        return GOOD_ADD

    with ScriptedModelServer(team(code=code)) as server:
        settings: dict[str, dict[str, object]] = {
            "llm": {"api_key": OF_THE_CONFIGURATION["api_key"]},
            "git": {"token": "${GIT_TOKEN:-}"},
            "monitoring": {
                "level": "DEBUG", "alerts": {"urls": [f"json://u:{OF_THE_CONFIGURATION['alert']}@127.0.0.1:9/x"]}
            },
            "orchestrator": {"max_approaches": 1, "max_task_attempts": 2},
            "testing": {"mutation_score": 0},
            "project": {"tasks_from": ["backlog"]},
        }  # fmt: skip
        yield (
            Watched(tmp_path, make_repository(tmp_path / "repository", FILES), server.url, shared_data, settings),
            server,
        )


@pytest.mark.long
@pytest.mark.probe("secrets")
@pytest.mark.timeout(600)
def test_no_secret_gets_anywhere(house: tuple[House, ScriptedModelServer], tmp_path: Path) -> None:
    place, server = house
    lines = CommandLines([])
    lines.start()
    lost = place.submit(FAILING, "Add sub")
    with place.daemon() as process:
        lines.roots.append(process.pid)
        eventually(lambda: in_sandbox(process), "a test run", 240)
        process.send_signal(signal.SIGABRT)  # a crash, with whatever it leaves
        process.wait(20)
    kept = place.submit()
    with place.daemon() as process:
        lines.roots.append(process.pid)
        place.wait_for(lost, TaskStatus.BLOCKED, TaskStatus.FAILED, seconds=240)
        place.wait_for(kept, TaskStatus.COMPLETED, seconds=240)
        assert children(process) is not None
    lines.ended.set()
    commands = [
        ("task", "show", lost, "--json"), ("task", "logs", lost), ("logs",), ("doctor", "--json"),
        ("doctor", "--audit"), ("status", "--json"), ("backup", "--to", str(tmp_path / "backup.tar.gz")),
    ]  # fmt: skip
    answers = [place.cli(*words) for words in commands]
    told = [answer.stdout + answer.stderr for answer in answers]
    assert (tmp_path / "backup.tar.gz").is_file()
    with tarfile.open(tmp_path / "backup.tar.gz") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")

    of_owner = [*OF_THE_ENVIRONMENT.values(), *OF_THE_CONFIGURATION.values()]
    everywhere = [*of_owner, *OF_THE_REPOSITORY.values()]
    bodies = [json.dumps(request.body, ensure_ascii=False) for request in server.requests]
    assert any("[redacted]" in body for body in bodies), "no model was shown a file with secrets"
    assert any("SERVICE_PASSWORD" in body for body in bodies)
    assert _in_texts(bodies, everywhere) == []
    headers = [json.dumps(dict(request.headers)) for request in server.requests]
    assert _in_texts(headers, [*OF_THE_ENVIRONMENT.values(), *OF_THE_REPOSITORY.values()]) == []
    assert _in_texts(lines.seen, everywhere) == []
    assert any("bwrap" in line for line in lines.seen), "no command line of the sandbox was seen"
    assert _in_texts(told, everywhere) == []
    assert _in_files([place.paths.state, tmp_path / "logs", tmp_path / "unpacked", tmp_path / "daemon.log"],
                     everywhere, but=("suites",)) == []  # fmt: skip
    assert _in_files([tmp_path, place.paths.data], of_owner, but=("config.yaml",)) == []
    assert _in_objects(place.paths.clone, of_owner) == []
    assert _in_objects(place.repository, of_owner) == []
    assert not list(tmp_path.rglob("core*dump*"))
    for folder in (place.paths.state, place.paths.workspace, place.paths.clone, tmp_path / "logs"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    for file in [*place.paths.state.glob("*.db*"), *(tmp_path / "logs").iterdir(), tmp_path / "backup.tar.gz"]:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def _in_texts(texts: list[str] | set[str], secrets: list[str]) -> list[str]:
    return [re.sub(re.escape(secret), "<HERE>", text)[:2000] for text in texts for secret in secrets if secret in text]


def _in_files(roots: list[Path], secrets: list[str], but: tuple[str, ...]) -> list[str]:
    """Files whose raw bytes hold a secret, with which."""
    found = []
    for root in roots:
        files = [root] if root.is_file() else [path for path in root.rglob("*") if path.is_file()]
        for file in files:
            if not set(but) & set(file.parts) and "environments" not in file.parts:
                content = file.read_bytes()
                found += [f"{file}: {secret}" for secret in secrets if secret.encode() in content]
    return found


def _in_objects(repository: Path, secrets: list[str]) -> list[str]:
    """Git objects that hold a secret."""
    listed = git(
        repository, "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)"
    ).splitlines()
    shas = [line.split()[0] for line in listed if not line.endswith("tree")]
    return [sha for sha in shas for secret in secrets if secret in git(repository, "cat-file", "-p", sha)]
