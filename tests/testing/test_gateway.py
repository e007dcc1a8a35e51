"""The set-up's way out: real sandboxes, real sockets, servers on this machine's loopback."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress

import pytest

from testing import Sandbox, SandboxResult
from testing.environments.index_settings import package_hosts
from testing.sandbox.confinement import base_interpreter
from testing.sandbox.gateway import Gateway, Origin

GET = """
import sys, urllib.request, urllib.error
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())
except urllib.error.HTTPError as problem:
    print(problem.code, problem.reason)
except OSError as problem:
    print("no way:", problem)
"""
GREET = """
import os, socket, ssl, sys
proxy = socket.create_connection(("127.0.0.1", 3128), 10)
proxy.sendall(f"CONNECT {sys.argv[1]} HTTP/1.1\\r\\n\\r\\n".encode())
print(proxy.recv(1000).split(b"\\r\\n")[0].decode())
context = ssl.create_default_context()
try:
    if sys.argv[2] == "plain":
        proxy.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
        proxy.shutdown(socket.SHUT_WR)
        print("answer", proxy.recv(1000))
    else:
        context.wrap_socket(proxy, server_hostname=sys.argv[2])
except OSError as problem:
    print("broken off:", type(problem).__name__)
"""
Answer = Callable[[bytes], bytes]


class Server:
    """Answers each connection once; keeps what was asked."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[bytes] = []
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                with closing(self._socket.accept()[0]) as client:
                    self.asked.append(client.recv(1 << 16))
                    client.sendall(self._answer(self.asked[-1]))

    def close(self) -> None:
        """End the thread first: one that still accepts would answer for whoever gets the descriptor next."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(60)
        self._socket.close()


def page(text: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


@pytest.fixture
def index() -> Iterator[Server]:
    server = Server(lambda asked: page("a package"))
    yield server
    server.close()


def run(
    sandbox: Sandbox, gateway: Gateway, code: str, *arguments: str, env: Mapping[str, str] | None = None
) -> SandboxResult:
    command = [str(base_interpreter().executable), "-I", "-c", code, *arguments]
    return sandbox.run(command, cwd="/", timeout=60, gateway=gateway, env=env)


def test_a_listed_host_is_reached_and_no_other(sandbox: Sandbox, index: Server) -> None:
    other = Server(lambda asked: page("a secret"))
    listed = f"127.0.0.1:{index.port}"
    with Gateway([Origin.of(listed)], {}) as gateway:
        assert run(sandbox, gateway, GET, f"http://{listed}/simple/?a=1").output == "a package\n"
    assert index.asked[0].startswith(b"GET /simple/?a=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    refused = {f"127.0.0.1:{other.port}": f"127.0.0.1:{other.port}", "169.254.169.254": "169.254.169.254",
               "example.org": "example.org", "[::1]": "::1", "0x7f000001": "0x7f000001"}  # fmt: skip
    for address, name in refused.items():
        with Gateway([Origin.of(listed)], {}) as gateway:
            output = run(sandbox, gateway, GET, f"http://{address}/").output
            assert output.startswith("403 Not a package index"), output
            assert gateway.refused == [name]
    assert other.asked == []
    other.close()


def test_there_is_no_way_but_through_the_gateway(sandbox: Sandbox, index: Server) -> None:
    hidden = socket.socket(socket.AF_UNIX)
    hidden.bind("\0ai-agents-test-" + str(index.port))
    hidden.listen()
    code = f"""
import os, socket
addresses = [("127.0.0.1", {index.port})]
addresses += ["\\0ai-agents-test-{index.port}", ("203.0.113.1", 443), ("169.254.169.254", 80)]
for address in addresses:
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as tried:
        tried.settimeout(3)
        try:
            tried.connect(address)
            print("OPEN", address)
        except OSError as problem:
            print(type(problem).__name__)
try:
    print("NAMES", socket.getaddrinfo("pypi.org", 443))
except OSError:
    print("no names")
print(sorted(os.listdir("/proc/self/fd")))
"""
    with Gateway([Origin("pypi.org")], {}) as gateway:
        lines = run(sandbox, gateway, code).output.splitlines()
    hidden.close()
    assert lines == ["ConnectionRefusedError", "ConnectionRefusedError", "OSError", "OSError", "no names",
                     "['0', '1', '2', '3']"]  # fmt: skip
    assert index.asked == []


@pytest.mark.parametrize(
    ("greeting", "reaches"), [("localhost", True), ("LOCALHOST", True), ("evil.example", False), ("plain", False)]
)
def test_a_tunnel_greets_the_host_that_it_was_opened_for(
    greeting: str, reaches: bool, sandbox: Sandbox, index: Server
) -> None:
    listed = f"localhost:{index.port}"
    with Gateway([Origin.of(listed)], {}) as gateway:
        output = run(sandbox, gateway, GREET, listed, greeting).output
    assert output.startswith("HTTP/1.1 200"), output
    assert bool(index.asked) == reaches
    assert not reaches or index.asked[0][0] == 22, "the greeting of TLS as it was sent"


def test_only_the_owner_can_list_this_machine(sandbox: Sandbox, index: Server) -> None:
    address = f"http://localhost:{index.port}/"
    with Gateway([Origin("localhost", index.port)], {}) as gateway:
        assert run(sandbox, gateway, GET, address).output.startswith("502")
    assert index.asked == []
    with Gateway([Origin.of(f"localhost:{index.port}")], {}) as gateway:
        assert run(sandbox, gateway, GET, address).output == "a package\n"


def test_the_machines_own_proxy_is_used_and_its_password_stays_outside(sandbox: Sandbox) -> None:
    proxy = Server(lambda asked: b"HTTP/1.1 200 ok\r\n\r\n" if asked.startswith(b"CONNECT") else page("by proxy"))
    environ = {"http_proxy": f"http://me:s3cret%21@127.0.0.1:{proxy.port}", "NO_PROXY": "direct.example"}
    environ["https_proxy"] = environ["http_proxy"]
    with Gateway([Origin.of("pypi.example")], environ) as gateway:
        assert run(sandbox, gateway, GET, "http://pypi.example/simple/").output == "by proxy\n"
        run(sandbox, gateway, "import os; print(dict(os.environ))")
    with Gateway([Origin.of("pypi.example")], environ) as gateway:
        run(sandbox, gateway, GREET, "pypi.example:443", "pypi.example")
    with Gateway([Origin.of("pypi.example")], environ) as gateway:
        inside = run(sandbox, gateway, "import os; print(dict(os.environ))", env=environ).output
    proxy.close()
    token = base64.b64encode(b"me:s3cret!")
    assert proxy.asked[0].startswith(b"GET http://pypi.example/simple/ HTTP/1.1\r\n")
    assert proxy.asked[1].startswith(b"CONNECT pypi.example:443 HTTP/1.1\r\n")
    assert all(b"Proxy-Authorization: Basic " + token in asked for asked in proxy.asked)
    assert "s3cret" not in inside and "127.0.0.1:3128" in inside


def test_nothing_is_left_when_a_run_ends(sandbox: Sandbox, index: Server) -> None:
    before = threading.active_count()
    code = (
        "import socket, time\nheld = [socket.create_connection(('127.0.0.1', 3128)) for _ in range(90)]\nprint('held')"
    )
    with Gateway([Origin.of(f"127.0.0.1:{index.port}")], {}) as gateway:
        assert run(sandbox, gateway, code).output == "held\n"
    with Gateway([], {}):
        pass  # the sandbox was never started
    assert threading.active_count() == before


def test_hosts_are_those_of_the_owners_settings() -> None:
    usual = {origin.host for origin in package_hosts({})}
    assert {"pypi.org", "files.pythonhosted.org", "registry.npmjs.org", "proxy.golang.org"} <= usual
    environ = {
        "PIP_INDEX_URL": "http://127.0.0.1:3141/root/pypi/+simple/",
        "UV_INDEX": "torch=https://download.example/whl https://me:pw@private.example/simple",
        "npm_config_registry": "https://npm.example:8443/",
        "HOME": "/nonexistent",
    }
    found = package_hosts(environ, ["forge.example", "other.example:8080"])
    named = {(origin.host, origin.port) for origin in found if origin.by_owner}
    assert named == {("127.0.0.1", 3141), ("npm.example", 8443), ("forge.example", None), ("other.example", 8080)}
    assert not {"pypi.org", "registry.npmjs.org"} & {origin.host for origin in found}
    assert not any(origin.leads_to("127.0.0.1", 22) for origin in found)
    assert any(origin.leads_to("forge.example", 443) for origin in found)
    assert not any(origin.leads_to("forge.example", 22) for origin in found)
    assert any(origin.leads_to("pypi.org", 443) for origin in package_hosts({}))
    assert not any(origin.leads_to("pypi.org", 80) for origin in package_hosts({})), "in clear text"
