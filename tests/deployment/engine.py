"""A real Docker engine and a real registry for tests, with all their state below a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.hosts import NGINX, Repository, free_port, skip_without, start_nginx, wait_for_port

DOCKERFILE = 'FROM base\nCOPY . /app\nCMD ["/bin/sh", "/app/start"]\n'
START = """#!/bin/sh
# Says which commit it runs, over busybox's own web server; what is odd about it stands in ODD.
odd=$(cat /app/ODD)
[ "$odd" = crash ] && { echo 'cannot start: a module is missing' >&2; exit 3; }
mkdir -p /www/cgi-bin
{
  echo '#!/bin/sh'
  [ "$odd" = sick ] && echo 'printf "Status: 500 Internal Server Error\\r\\n\\r\\ndatabase is away"; exit 0'
  echo 'printf "Content-Type: application/json\\r\\n\\r\\n"'
  echo "echo '{\\"version\\": \\"$COMMIT\\"}'"
} > /www/cgi-bin/healthz
chmod +x /www/cgi-bin/healthz
echo "serving $COMMIT"
exec httpd -f -p "127.0.0.1:$PORT" -h /www
"""


@dataclass
class TestEngine:
    """An engine, and a registry beside it."""

    __test__ = False

    folder: Path
    registry_port: int
    ports: tuple[int, int]
    public: int
    sockets: Path
    """A folder with a short name: the paths of sockets may have a hundred characters."""
    processes: dict[str, Any] = field(default_factory=dict)
    tls_port: int = field(default_factory=free_port)

    @property
    def socket(self) -> Path:
        return self.sockets / "docker.sock"

    def docker(self, *words: str) -> str:
        done = subprocess.run(["docker", "-H", f"unix://{self.socket}", *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def settings(self, **changes: Any) -> dict[str, Any]:
        """An environment of the target `docker`, with one port."""
        values: dict[str, Any] = {
            "target": "docker",
            "engine": f"unix://{self.socket}",
            "image": f"127.0.0.1:{self.registry_port}/shop",
            "container": "shop",
            "ports": [self.public],
            "run_options": ["--network", "host"],
            "health": {
                "url": f"http://127.0.0.1:{self.public}/cgi-bin/healthz",
                "healthy": 3, "interval": 0.05, "timeout": 2, "deadline": 4,
            },
        }  # fmt: skip
        return values | changes

    def two_ports(self, **changes: Any) -> dict[str, Any]:
        """The same with nginx before two containers that take turns."""
        upstream = self.folder / "nginx" / "upstreams" / "app.conf"
        nginx = f"{NGINX} -p {self.folder}/nginx -c nginx.conf"
        route = f'echo "upstream app {{ server 127.0.0.1:$PORT; }}" > {upstream} && {nginx} -s reload'
        return self.settings(ports=list(self.ports), route=route) | changes

    def start_registry(self) -> None:
        config = self.folder / "registry.yml"
        config.write_text(
            f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {self.folder}/registry\n"
            f"http:\n  addr: 127.0.0.1:{self.registry_port}\n"
        )
        with (self.folder / "registry.log").open("a") as log:
            self.processes["registry"] = subprocess.Popen(
                ["docker-registry", "serve", str(config)], stdout=log, stderr=log
            )
        wait_for_port(self.registry_port)

    def stop_registry(self) -> None:
        process = self.processes.pop("registry")
        process.terminate()
        process.wait(20)


def commit(repository: Repository, odd: str = "", **files: str) -> str:
    """A commit of the service in a container."""
    return repository.commit(odd, Dockerfile=DOCKERFILE, start=START, **files)


@contextmanager
def an_engine(folder: Path, *, with_nginx: bool = False, with_tls: bool = False) -> Iterator[TestEngine]:
    """An engine until the end of the block; it needs root. `with_tls`: it also listens at a port, for those with a
    certificate of its authority."""
    if os.getuid():
        pytest.skip("an engine of its own needs root")
    for program, package in (
        ("dockerd", "docker.io"),
        ("docker-registry", "docker-registry"),
        ("busybox", "busybox-static"),
    ):
        skip_without(shutil.which(program), package)
    folder.mkdir(parents=True, exist_ok=True)
    sockets = Path(tempfile.mkdtemp(prefix="engine-", dir="/tmp"))
    engine = TestEngine(folder, free_port(), (free_port(), free_port()), free_port(), sockets)
    words = [
        "dockerd", "-H", f"unix://{engine.socket}", "--data-root", f"{folder}/root", "--exec-root", f"{sockets}/exec",
        "-p", f"{folder}/pid", "--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false",
        "--ip-masq=false", "--default-ulimit", "nofile=1024:1024", "--insecure-registry", "127.0.0.0/8",
    ]  # fmt: skip
    if with_tls:
        certificates(folder / "tls")
        for key, name in (("cacert", "ca"), ("cert", "server"), ("key", "server-key")):
            words += [f"--tls{key}", f"{folder}/tls/{name}.pem"]
        words += ["--tlsverify", "-H", f"tcp://127.0.0.1:{engine.tls_port}"]
    with (folder / "dockerd.log").open("w") as log:
        engine.processes["dockerd"] = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 60
        while subprocess.run(["docker", "-H", f"unix://{engine.socket}", "info"], capture_output=True).returncode:
            ended = engine.processes["dockerd"].poll() is not None
            assert time.monotonic() < end and not ended, (folder / "dockerd.log").read_text()[-2000:]
            time.sleep(0.2)
        _make_base(engine)
        engine.start_registry()
        if with_nginx:
            engine.processes["nginx"] = start_nginx(engine.folder / "nginx", engine.public, engine.ports[0])
        yield engine
    finally:
        with suppress(AssertionError):
            for name in engine.docker("ps", "--all", "--quiet").split():
                engine.docker("rm", "--force", name)
        for process in reversed(engine.processes.values()):
            process.terminate()
            process.wait(60)
        _unmount(sockets, folder)
        shutil.rmtree(sockets, ignore_errors=True)


def certificates(folder: Path) -> None:
    """An authority, and certificates of it for an engine at 127.0.0.1 and for a client."""
    folder.mkdir(parents=True)

    def openssl(*words: str) -> None:
        done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(*new, "-x509", "-days", "2", "-subj", "/CN=authority", "-keyout", "ca-key.pem", "-out", "ca.pem")
    for name, use in (("server", "serverAuth\nsubjectAltName=IP:127.0.0.1"), ("client", "clientAuth")):
        (folder / f"{name}.ext").write_text(f"extendedKeyUsage={use}\n")
        openssl(*new, "-subj", f"/CN={name}", "-keyout", f"{name}-key.pem", "-out", f"{name}.csr")
        by = ["-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial"]
        openssl(
            "x509", "-req", "-days", "2", "-in", f"{name}.csr", *by, "-extfile", f"{name}.ext", "-out", f"{name}.pem"
        )


def _unmount(*folders: Path) -> None:
    """What an engine leaves mounted at its end."""
    places = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for place in places:
        if any(place.startswith(f"{folder}/") for folder in folders):
            subprocess.run(["umount", "-l", place], capture_output=True)


def _make_base(engine: TestEngine) -> None:
    """An image with busybox in it, since none can be fetched from elsewhere."""
    packed, program = engine.folder / "base.tar", Path(str(shutil.which("busybox")))
    names = subprocess.run([str(program), "--list"], capture_output=True, text=True).stdout.split()
    with tarfile.open(packed, "w") as tar:
        tar.add(program, "bin/busybox")
        for name in names:
            if name != "busybox":
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
    engine.docker("import", str(packed), "base:latest")
