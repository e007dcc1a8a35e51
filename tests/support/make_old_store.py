"""Creates `tests/data/store_of_*.tar.gz`, the data of an older version; run it in a checkout of that version.

    cd CHECKOUT && PYTHONPATH=. python …/tests/support/make_old_store.py OUTPUT.tar.gz [small]

A daemon of that version works in `/srv/old-store` against the scripted model server and is killed while two tasks wait
for an answer, one in its `code` stage and one in its escalation; with `small`, while a small model's second sample is
on its way. The archive has the daemon's databases, its clone with the worktrees, and the owner's repository.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tarfile
import time
from pathlib import Path

from tests.orchestrator.house import House, make_repository
from tests.orchestrator.scripts import BAD_ADD, SMALL
from tests.support import Reply, Request, ScriptedModelServer

FOLDER = Path("/srv/old-store")
ADD = "Add `add(a, b)` to calc.py. `add(2, 3)` returns `5` and `add(0, 0)` returns `0`."
CONTRADICTION = "Add `sub(a, b)` to calc.py. `sub(2, 3)` returns `1` and `sub(2, 3)` returns `2`."


def main() -> None:
    """Let the daemon work until both tasks wait for an answer, kill it, and pack its data."""
    output, folder = Path(sys.argv[1]).resolve(), FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    small, hanging, samples = "small" in sys.argv[2:], 0, 0

    def rule(request: Request) -> object:
        nonlocal hanging, samples
        if small and "assertions" not in str(request.schema):
            samples += 1
            if samples <= 4:  # three drafts, and the first sample
                return BAD_ADD
        if "assertions" in str(request.schema):
            return {"assertions": []}
        hanging += 1
        return Reply.hang()

    repository = make_repository(folder / "repository")
    with ScriptedModelServer(rule) as server:  # type: ignore[arg-type]
        house = House(folder, repository, server.url, folder / "data")
        house.cold = True
        if small:
            house.settings.update(SMALL)
            house.write_config()
        else:
            house.submit(CONTRADICTION, "Add sub")
        house.submit(ADD, "Add add")
        with house.daemon() as daemon:
            deadline = time.monotonic() + 300
            while hanging < (1 if small else 2) and time.monotonic() < deadline:
                time.sleep(0.1)
            time.sleep(2)
            daemon.kill()
            daemon.wait(60)
    state = next((folder / "data").glob("repository-*"))
    for name in ("agents.db", "engine.db"):
        with sqlite3.connect(state / name) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("VACUUM")
    with tarfile.open(output, "w:gz") as archive:
        archive.add(repository, "repository", filter=_without_samples)
        archive.add(next((folder / "workspace").glob("repository-*")), "workspace", filter=_without_samples)
        for name in ("agents.db", "engine.db"):
            archive.add(state / name, f"state/{name}")
    shutil.rmtree(folder)


def _without_samples(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return None if member.name.endswith(".sample") else member


if __name__ == "__main__":
    main()
