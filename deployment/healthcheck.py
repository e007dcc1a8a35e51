"""Whether a daemon runs here, for Docker and other supervisors: exit code 0 if one does, 1 if not.

    python -I -S deployment/healthcheck.py [DATA]

DATA is the folder of `file_system.data_path` (default: data). It is started once a minute for as long as the daemon
lives, and costs next to nothing: it imports two small modules in C; `-I -S` leave out what Python loads for others.
"""

import fcntl
import os
import struct
import sys


def main(data: str) -> int:
    """Look for a lock that is held (see `monitoring/daemon_lock.py`)."""
    asked = struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0)
    for project in os.scandir(data) if os.access(data, os.R_OK) else ():
        try:
            lock = os.open(f"{project.path}/engine.db.lock", os.O_RDONLY)
        except OSError:  # what lies there is no project
            continue
        held = struct.unpack_from("h", fcntl.fcntl(lock, fcntl.F_OFD_GETLK, asked))[0] != fcntl.F_UNLCK
        os.close(lock)
        if held:
            return 0
    print(f"no daemon holds the lock of a project in {data}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*(sys.argv[1:] or ["data"])))
