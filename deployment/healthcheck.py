"""Whether a daemon runs here, for Docker and other supervisors: exit code 0 if one does, 1 if not.

    python deployment/healthcheck.py [DATA]

DATA is the folder of `file_system.data_path` (default: data). It uses nothing but the standard library: it is started
once a minute for as long as the daemon lives, and must cost nothing.
"""

import fcntl
import struct
import sys
from pathlib import Path


def main(data: str) -> int:
    """Look for a lock that is held (see `monitoring/daemon_lock.py`)."""
    for lock in Path(data).glob("*/engine.db.lock"):
        with lock.open("rb") as file:
            asked = struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0)
            if struct.unpack_from("h", fcntl.fcntl(file, fcntl.F_OFD_GETLK, asked))[0] != fcntl.F_UNLCK:
                return 0
    print(f"no daemon holds the lock of a project in {data}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*(sys.argv[1:] or ["data"])))
