"""Tests that use a project over its own interface: a command line and a service, started in the sandbox."""

from __future__ import annotations

from testing import Environment, Pages, Sandbox, TestRunner
from testing.pages import find_browser
from tests.testing.conftest import Tree

SERVICE = """import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Greeting(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"<h1>Hello {self.path.strip('/')}</h1>".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", 0), Greeting)
    print(server.server_port, flush=True)
    server.serve_forever()
"""
COMMAND = """import sys

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("give a name")
    print(f"Hello {sys.argv[1]}")
"""
TESTS = """import subprocess
import sys
from urllib.error import URLError
from urllib.request import urlopen

import pytest


def test_service():
    with subprocess.Popen([sys.executable, "service.py"], stdout=subprocess.PIPE, text=True) as service:
        try:
            port = int(service.stdout.readline())
            assert urlopen(f"http://127.0.0.1:{port}/Ada", timeout=20).read() == b"<h1>Hello Ada</h1>"
        finally:
            service.kill()


def test_command():
    said = subprocess.run([sys.executable, "command.py", "Ada"], capture_output=True, text=True)
    assert (said.returncode, said.stdout) == (0, "Hello Ada\\n")
    said = subprocess.run([sys.executable, "command.py"], capture_output=True, text=True)
    assert (said.returncode, said.stderr) == (1, "give a name\\n")


def test_nothing_beyond_loopback():
    with pytest.raises(URLError):
        urlopen("http://192.0.2.1/", timeout=5)


def test_left_running():
    subprocess.Popen([sys.executable, "service.py"], stdout=subprocess.DEVNULL)
"""


def test_a_command_and_a_service_are_used_as_their_users_do(
    sandbox: Sandbox, base_environment: Environment, tree: Tree
) -> None:
    source = tree({"service.py": SERVICE, "command.py": COMMAND, "tests/test_interface.py": TESTS})
    result = TestRunner(sandbox).run_tests(source, base_environment, timeout=120)
    assert result.passed, result
    assert result.counts.passed == 4

    wrong = COMMAND.replace("Hello", "Goodbye")
    source = tree({"service.py": SERVICE, "command.py": wrong, "tests/test_interface.py": TESTS})
    failed = TestRunner(sandbox).run_tests(source, base_environment, timeout=120)
    assert [failure.test_id for failure in failed.failures] == ["tests/test_interface.py::test_command"]


SITE = """import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Shop(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<title>The\\n Shop</title><body style='background: teal'><h1>Open</h1><img src='http://192.0.2.1/x.png'>"
        self.send_response(200 if self.path == "/" else 404)
        self.end_headers()
        self.wfile.write(body)


HTTPServer(("127.0.0.1", 8080), Shop).serve_forever()
"""


def test_a_page_is_looked_at_while_it_is_served(sandbox: Sandbox, base_environment: Environment, tree: Tree) -> None:
    runner = TestRunner(sandbox)

    def seen(command: str) -> Pages:
        addresses = [f"http://127.0.0.1:8080/{path}" for path in ("", "gone")]
        return runner.look_at_pages(tree({"site.py": SITE}), base_environment, command, addresses)

    found = seen("exec python site.py")
    told = [(page.address.rsplit("/", 1)[1], page.status, page.title) for page in found.pages]
    assert (told, found.problem) == ([("", 200, "The Shop"), ("gone", 404, "The Shop")], "")
    assert bool(found.browser) == (find_browser() is not None)
    assert [picture.startswith(b"\x89PNG") for picture in found.pictures] == [bool(found.browser)] * 2

    failed = seen("echo no such shop; exit 3")
    assert (failed.pages, failed.pictures) == ([], [])
    assert failed.problem == "what serves it ended with exit code 3: no such shop"
