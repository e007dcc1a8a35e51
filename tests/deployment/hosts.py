"""A real host for tests: an sshd of its own on a loopback port, with its own keys and configuration, and an HTTP
service that a release brings along."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin") or "python3"

SERVICE = '''"""Says which commit it runs; what is odd about it stands in ODD."""
import http.server, json, os, signal, socketserver, sys, threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMMIT = (HERE / "REVISION").read_text().strip() if (HERE / "REVISION").exists() else os.environ.get("COMMIT", "")
ODD = (HERE / "ODD").read_text().strip() if (HERE / "ODD").exists() else ""
if ODD == "crash":
    print("cannot start: a module is missing", file=sys.stderr, flush=True)
    sys.exit(3)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps({"version": COMMIT}).encode()
        if ODD == "sick":
            body = b"database is away"
        half = ODD == "half" and self.path.startswith("/items")  # what the health check does not ask
        if half:
            body = b"items are away"
        self.send_response(500 if ODD == "sick" or half else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("serving", COMMIT, flush=True)
server.serve_forever()
'''

CONTROL = """#!/bin/sh
# start|stop PORT FOLDER: what systemd does elsewhere.
pid="$STATE/$2.pid"
if [ -s "$pid" ]; then
  kill "$(cat "$pid")" 2>/dev/null
  tries=0
  while kill -0 "$(cat "$pid")" 2>/dev/null && [ $tries -lt 100 ]; do sleep 0.02; tries=$((tries + 1)); done
  kill -9 "$(cat "$pid")" 2>/dev/null
  rm -f "$pid"
fi
[ "$1" = stop ] && exit 0
cd "$3" || exit 1
PORT="$2" setsid "$PYTHON" "$3/service.py" >>"$STATE/$2.log" 2>&1 </dev/null &
echo $! > "$pid"
"""


def skip_without(program: str | None, package: str) -> None:
    """Skip loudly where the machine lacks a program, but never in CI, which installs it."""
    if program is None:
        assert not os.environ.get("CI"), f"CI installs {package}, and it is not here"
        pytest.skip(f"{package} is not installed: apt-get install {package}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for_port(port: int, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"nothing listens on {port} after {seconds} s")


def run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass
class Repository:
    """Where releases come from; fulfils `Source`."""

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> Repository:
        folder.mkdir(parents=True)
        run("git", "init", "-q", "-b", "main", cwd=folder)
        return cls(folder)

    def commit(self, odd: str = "", **files: str) -> str:
        """A commit of the service; `odd` is what is wrong with it."""
        for name, text in {"service.py": SERVICE, "ODD": odd, **files}.items():
            (self.folder / name).write_text(text)
        run("git", "add", "-A", cwd=self.folder)
        identity = ["-c", "user.name=Owner", "-c", "user.email=owner@localhost"]
        run("git", *identity, "commit", "-q", "--allow-empty", "-m", odd or "good", cwd=self.folder)
        return self.resolve("HEAD")

    def resolve(self, name: str) -> str:
        return run("git", "rev-parse", name or "HEAD", cwd=self.folder)

    def archive(self, commit: str, file: Path) -> None:
        run("git", "archive", "--format=tar", f"--output={file}", commit, cwd=self.folder)

    def bring(self, commit: str, branch: str) -> str:
        raise AssertionError("only pipelines need a push")


@dataclass
class TestHost:
    """A host that is this machine, reached by SSH."""

    __test__ = False

    folder: Path
    ssh_port: int
    ports: tuple[int, int]
    public: int
    releases: Path
    process: Any = None
    nginx: Any = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def settings(self, **changes: Any) -> dict[str, Any]:
        """An environment of the target `direct` on this host."""
        control = self._control()
        values: dict[str, Any] = {
            "target": "direct",
            "host": "127.0.0.1",
            "port": self.ssh_port,
            "identity_file": str(self.folder / "id"),
            "known_hosts": str(self.known_hosts),
            "folder": str(self.releases),
            "restart": f'{control} start {self.public} "$FOLDER/current"',
            "stop": f"{control} stop {self.public}",
            "logs": f'tail -n "$LINES" {shlex.quote(str(self.state))}/*.log',
            "health": {
                "url": f"http://127.0.0.1:{self.public}/healthz",
                "healthy": 3, "interval": 0.05, "timeout": 2, "deadline": 2,
            },
        }  # fmt: skip
        return values | changes

    def blue_green(self, **changes: Any) -> dict[str, Any]:
        """The same with two copies behind nginx."""
        control, upstream = self._control(), self.folder / "nginx" / "upstreams" / "app.conf"
        nginx = f"{NGINX} -p {self.folder}/nginx -c nginx.conf"
        pair = {
            "ports": list(self.ports),
            "start": f'{control} start "$PORT" "$RELEASE"',
            "stop": f'{control} stop "$PORT"',
            "upstream_file": str(upstream),
            "reload": f"{nginx} -t -q && {nginx} -s reload",
            "drain": 0.2,
        }
        return self.settings(blue_green=pair) | {"restart": "", "stop": ""} | changes

    def _control(self) -> str:
        return f"STATE={shlex.quote(str(self.state))} PYTHON={PYTHON} sh {shlex.quote(str(self.folder / 'control'))}"

    def live(self) -> str:
        """The release that `current` leads to; empty if there is none."""
        current = self.releases / "current"
        return current.readlink().name if current.is_symlink() else ""

    def listed(self) -> list[str]:
        return sorted(path.name for path in (self.releases / "releases").iterdir())


@contextmanager
def a_host(folder: Path, *, with_nginx: bool = False) -> Iterator[TestHost]:
    """A host until the end of the block; its services end with it."""
    skip_without(SSHD, "openssh-server")
    if with_nginx:
        skip_without(NGINX, "nginx-light")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    host = TestHost(folder, free_port(), (free_port(), free_port()), free_port(), folder / "srv" / "shop")
    host.state.mkdir()
    (folder / "control").write_text(CONTROL)
    for name in ("id", "host_key"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
    (folder / "authorized_keys").write_text((folder / "id.pub").read_text())
    (folder / "authorized_keys").chmod(0o600)
    key = " ".join((folder / "host_key.pub").read_text().split()[:2])
    host.known_hosts.write_text(f"[127.0.0.1]:{host.ssh_port} {key}\n")
    (folder / "sshd_config").write_text(
        f"Port {host.ssh_port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nPasswordAuthentication no\nStrictModes no\n"
        f"KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nAllowTcpForwarding yes\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True, mode=0o755)
    with (folder / "sshd.log").open("w") as log:
        host.process = subprocess.Popen(
            [str(SSHD), "-D", "-e", "-f", str(folder / "sshd_config")], stdout=log, stderr=log
        )
    try:
        wait_for_port(host.ssh_port)
        if with_nginx:
            host.nginx = start_nginx(host.folder / "nginx", host.public, host.ports[0])
        yield host
    finally:
        _end(host)


def start_nginx(place: Path, public: int, first: int) -> subprocess.Popen[bytes]:
    """Serve the port `public` from the folder `place`; its upstream `app` begins with the port `first`."""
    skip_without(NGINX, "nginx-light")
    (place / "upstreams").mkdir(parents=True)
    (place / "upstreams" / "app.conf").write_text(f"upstream app {{ server 127.0.0.1:{first}; }}\n")
    (place / "nginx.conf").write_text(
        f"worker_processes 1;\nuser root;\npid {place}/nginx.pid;\nerror_log {place}/error.log;\n"
        "events { worker_connections 256; }\n"
        f"http {{ access_log off; client_body_temp_path {place}/t1; proxy_temp_path {place}/t2;\n"
        f" fastcgi_temp_path {place}/t3; uwsgi_temp_path {place}/t4; scgi_temp_path {place}/t5;\n"
        f" include {place}/upstreams/*.conf;\n"
        f" server {{ listen 127.0.0.1:{public}; location / {{ proxy_pass http://app; }} }} }}\n"
    )
    process = subprocess.Popen([str(NGINX), "-p", str(place), "-c", "nginx.conf", "-g", "daemon off;"])
    wait_for_port(public)
    return process


def _end(host: TestHost) -> None:
    pids = [int(file.read_text()) for file in host.state.glob("*.pid") if file.read_text().strip()]
    begun = [process for process in (host.process, host.nginx) if process]
    for process in begun:
        process.terminate()
    for pid in pids:
        try:
            found = psutil.Process(pid)
            if str(host.folder.parent) in " ".join(found.cmdline()):  # a disk of its own stands beside it
                found.kill()
        except psutil.NoSuchProcess:
            pass
    for process in begun:
        process.wait(20)
