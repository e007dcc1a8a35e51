"""What a failed check printed: its end, however long it is and wherever the forge keeps it."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler

import pytest

from forge.http import ForgeClient
from tests.support.loopback import LoopbackServer

LONG = b"a line of a log\n" * 1_000_000 + b"the last line \xff"  # longer than any other answer may be


class _Forge(BaseHTTPRequestHandler):
    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("Authorization", "none"))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/storage")
            self.end_headers()
            return
        self.send_response(404 if self.path == "/gone" else 200)
        self.end_headers()
        self.wfile.write(LONG)

    def log_message(self, *_: object) -> None: ...


@pytest.mark.parametrize(
    ("path", "end", "tokens"),
    [
        ("/here", "the last line \N{REPLACEMENT CHARACTER}", ["Bearer t-secret"]),
        ("/moved", "the last line \N{REPLACEMENT CHARACTER}", ["Bearer t-secret", "none"]),
        ("/gone", "(the log cannot be read: HTTP 404)", ["Bearer t-secret"]),
    ],
)
def test_the_end_of_a_log_is_read_and_the_token_stays(path: str, end: str, tokens: list[str]) -> None:
    handler = type("Handler", (_Forge,), {"seen": []})
    with LoopbackServer(handler) as server:
        client = ForgeClient("github", server.url, "t-secret")
        text = client.log(path)
        client.close()
    assert text.endswith(end)
    assert len(text) <= 256 * 1024
    assert handler.seen == tokens  # type: ignore[attr-defined]
