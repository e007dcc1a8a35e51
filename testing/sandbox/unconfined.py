"""Running a command without a sandbox: clean environment, rlimits and a session of its own, nothing more (tier 4).

There are no mounts here, so the constant paths of the sandbox (/work, /env, /out) are written back to host paths.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from testing.errors import SandboxUnavailable
from testing.sandbox.bubblewrap import SYSTEM_PATH
from testing.sandbox.identity import Identity
from testing.sandbox.limits import SandboxLimits
from testing.sandbox.mounts import Mount
from testing.sandbox.supervisor import Launch


def unconfined_launch(
    command: Sequence[str],
    *,
    mounts: Sequence[Mount],
    cwd: str,
    env: Mapping[str, str],
    limits: SandboxLimits | None,
    timeout: float,
    identity: Identity,
) -> Launch:
    """`command` on the host itself; `limits` None leaves even the rlimits and the change of user away.

    Raises SandboxUnavailable when the user to drop to cannot reach one of the folders.
    """
    prefix: list[str] = []
    if limits is not None and identity.drops:
        for mount in mounts:
            if closed := closed_folder(mount.source, identity):
                raise SandboxUnavailable(
                    f"Cannot run code as {identity.name!r} without a sandbox",
                    f"{closed} is closed to that user.",
                    "install bubblewrap, or keep the data folder outside of it, or run the daemon as that user.",
                )
        prefix += ["setpriv", f"--reuid={identity.uid}", f"--regid={identity.gid}", "--clear-groups", "--no-new-privs"]
        prefix += ["--inh-caps=-all", "--"]
    if limits is not None:
        prefix += ["prlimit", *limits.prlimit_arguments(timeout), "--"]
    values = {"PATH": SYSTEM_PATH, "HOME": "/nonexistent", "LANG": "C.UTF-8", **env}
    return Launch(
        [*prefix, *(on_host(part, mounts) for part in command)],
        {name: on_host(value, mounts) for name, value in values.items()},
        cwd=on_host(cwd, mounts),
    )


def on_host(text: str, mounts: Sequence[Mount]) -> str:
    """`text` with each mount's target, where it stands as a whole path, replaced by its source."""
    sources = {mount.target: os.fspath(mount.source) for mount in mounts}
    targets = "|".join(re.escape(target) for target in sorted(sources, key=len, reverse=True))
    return re.sub(rf"(?<![\w./-])({targets})(?![\w.-])", lambda match: sources[match[1]], text) if targets else text


def closed_folder(path: Path, identity: Identity) -> Path | None:
    """The folder above `path` that `identity` may not enter, None if it may enter them all."""
    for folder in path.resolve().parents:
        found = folder.stat()
        if found.st_uid != identity.uid and not found.st_mode & stat.S_IXOTH:
            return folder
    return None
