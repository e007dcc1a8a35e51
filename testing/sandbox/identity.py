"""Who sandboxed code is, on the host and inside."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass

from testing.errors import SandboxUnavailable


@dataclass(frozen=True)
class Identity:
    """The user that sandboxed code runs as.

    A daemon that is root gives up its uid for `uid` (`drops`); an ordinary daemon keeps its own, and a user namespace
    shows it as `inside_uid`.
    """

    name: str
    uid: int
    gid: int
    inside_uid: int
    inside_gid: int
    drops: bool


def identity_for(user: str) -> Identity:
    """Who code runs as when this process starts it; `user` counts only for root.

    Raises SandboxUnavailable when this process is root and `user` is unknown or root itself.
    """
    if os.geteuid() != 0:
        return Identity("agent", os.geteuid(), os.getegid(), 1000, 1000, drops=False)
    attempted = f"Cannot run tests as sandbox.user {user!r}"
    remedy = "set sandbox.user to an unprivileged user of this machine, such as 'nobody'."
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        raise SandboxUnavailable(attempted, "there is no such user.", remedy) from None
    if found.pw_uid == 0 or found.pw_gid == 0:
        raise SandboxUnavailable(attempted, "it has root's uid or gid, from which a sandbox can be undone.", remedy)
    return Identity(user, found.pw_uid, found.pw_gid, found.pw_uid, found.pw_gid, drops=True)
