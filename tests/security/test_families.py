"""Attacks drawn from families by a seed: `PROBES_SEED`, and `PROBES` for how many.

`make test-security` draws many, with another seed each day; `make test` draws the same few."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_ops import secrets_in
from monitoring import redact
from orchestrator.workbench.trial import Trial
from tests.orchestrator.scripts import CALC
from tests.probes import STOPPED_BY
from tests.security.bench import Verification, of, verification
from tests.security.families import READS, Member, drawn, drawn_keys, drawn_reads
from tests.testing.conftest import Probe

SEED = os.environ.get("PROBES_SEED", "1")
CHEATS = drawn(SEED, int(os.environ.get("PROBES", "5")))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Verification]:
    with verification(tmp_path_factory.mktemp("families"), shared_data) as made:
        yield made


@pytest.mark.parametrize("number", range(len(CHEATS)))
def test_a_drawn_cheat_is_not_green(number: int, project: Verification, request: pytest.FixtureRequest) -> None:
    member = CHEATS[number]
    request.node.user_properties.append(("probe", f"cheats that are drawn: {member.family}"))
    files = {**member.files, "calc.py": f"{CALC}\n\n{member.files['calc.py']}"}
    trial = project.judge(of(files), likely=number % 2 == 0)
    request.node.user_properties.append((STOPPED_BY, principle(trial)))
    assert not trial.green, told(member)


def principle(trial: Trial) -> str:
    """What stopped an answer."""
    words = {
        "with another expected value": "false twins",
        "only under their own names": "other names and order",
        "only in the order": "other names and order",
        "a plain program": "calls outside",
        "The code under test changed": "the guard",
    }
    if not trial.applied:
        return "refused before it ran"
    return next(
        (name for word, name in words.items() if word in trial.evidence), "red" if trial.evidence else "nothing"
    )


def told(member: Member) -> str:
    """What the note of a failed probe has to say."""
    return f"seed {SEED}, {member.family}, {', '.join(member.disguises) or 'as it is'}:\n{member.files}"


_LINK = "own-link"
MANY = int(os.environ.get("PROBES", "10")) * 4


@pytest.mark.probe("secrets that are drawn")
@pytest.mark.parametrize("where", ["commits", "prompts and logs"])
def test_drawn_secrets_are_found(where: str) -> None:
    keys = drawn_keys(SEED, MANY)
    found = [bool(secrets_in(text)) if where == "commits" else key not in redact(text) for _, key, text in keys]
    assert [name for (name, _, _), is_found in zip(keys, found, strict=True) if not is_found] == []


@pytest.mark.probe("hostile")
def test_drawn_reads_reach_nothing(probe: Probe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and variables of the host that hold a canary, by any way that code has."""
    monkeypatch.setenv("OPENAI_API_KEY", "canary-4711")
    folders = {"a file beside the run": tmp_path, "the daemon's data": tmp_path / "data", "a home": Path.home()}
    paths = {}
    for what, folder in folders.items():
        folder.mkdir(exist_ok=True)
        paths[what] = str(folder / f"canary-{os.getpid()}")
        Path(paths[what]).write_text("canary-4711")
    paths |= {"the daemon's variables": f"/proc/{os.getpid()}/environ", "those of the first": "/proc/1/environ"}
    try:
        reads = drawn_reads(SEED, MANY, paths)
        code = "".join(
            f"try: print(number := {n}, repr({read})[:200])\nexcept BaseException: pass\n"
            for n, (_, read) in enumerate(reads)
        )
        output = probe(code).output
    finally:
        (Path.home() / f"canary-{os.getpid()}").unlink()
    reached = [line for line in output.splitlines() if "canary-4711" in line]
    assert [reads[int(line.split()[0])][0] for line in reached] == []
    assert "canary-4711" not in output
    ways = {name: way.format(path="/tmp/own", name=_LINK) for name, way in READS.items() if "proc" not in name}
    tried = "".join(f"print({name!r}, {way})\n" for name, way in ways.items())
    own = probe(f"open('/tmp/own', 'w').write('seen-4711')\n{tried}").output
    assert own.count("seen-4711") == len(ways), f"each way can read what may be read: {own}"
