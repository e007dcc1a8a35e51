"""A stand-in for the model hub on loopback: its API, and files by ranges from another address, as the real one does."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.support.loopback import LoopbackServer

REPOSITORY = "acme/Tiny-GGUF"
FILE = "tiny-q4.gguf"


@dataclass
class StandInHub(LoopbackServer):
    """Serves `files` of one repository. A context manager.

    `cuts`: the next answers with bytes of a file end after so many, though more were promised. `status`: what every
    request is answered with instead. `digests`: stated in place of the right ones; None: no digest is stated.
    """

    content: bytes = hashlib.shake_128(b"a model").digest(100_000)
    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    status: int | None = None
    digests: dict[str, str | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    tokens: dict[str, str | None] = field(default_factory=dict)
    """The header `Authorization` of the last request of each kind: api, resolve, bytes."""

    def __post_init__(self) -> None:
        self.files.setdefault(FILE, self.content)
        super().__init__(_handler(self))

    @property
    def commit(self) -> str:
        """Changes with every change of a file."""
        return hashlib.sha1(b"".join(self.files[name] for name in sorted(self.files))).hexdigest()

    def tree(self, folder: str) -> list[dict[str, object]]:
        """What the API lists of a folder, itself without a slash at its end."""
        entries: list[dict[str, object]] = [{"type": "file", "oid": "1", "size": 5, "path": ".gitattributes"}]
        for name, content in self.files.items():
            if name.rpartition("/")[0] == folder:
                digest = self.digests.get(name, hashlib.sha256(content).hexdigest())
                large = {"lfs": {"oid": digest, "size": len(content), "pointerSize": 135}} if digest else {}
                entries.append({"type": "file", "oid": "2", "size": len(content), "path": name, **large})
        return entries


def _handler(hub: StandInHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            hub.asked.append(self.path)
            api, bytes_at = f"/api/models/{REPOSITORY}", f"/bytes/{hub.commit}/"
            resolve = f"/{REPOSITORY}/resolve/{hub.commit}/"
            kind = "api" if self.path.startswith("/api") else "bytes" if self.path.startswith("/bytes") else "resolve"
            hub.tokens[kind] = self.headers.get("Authorization")
            if hub.status:
                self.answer(hub.status, b"{}")
            elif self.path == f"{api}/revision/main":
                self.answer(200, json.dumps({"id": REPOSITORY, "sha": hub.commit}).encode())
            elif self.path.startswith(f"{api}/tree/{hub.commit}"):
                folder = self.path.removeprefix(f"{api}/tree/{hub.commit}").strip("/")
                self.answer(200, json.dumps(hub.tree(folder)).encode())
            elif self.path.startswith(resolve):
                other = hub.url.replace("127.0.0.1", "localhost")
                self.answer(302, b"", Location=other + bytes_at + self.path.removeprefix(resolve))
            elif self.path.startswith(bytes_at):
                self.hand_out(hub.files[self.path.removeprefix(bytes_at)])
            else:
                self.answer(404, b'{"error": "not found"}')

        def hand_out(self, content: bytes) -> None:
            span = self.headers.get("Range", "bytes=0-")
            hub.ranges.append(span)
            rest = content[int(span.removeprefix("bytes=").rstrip("-")) :]
            self.answer(206, rest[: hub.cuts.pop(0)] if hub.cuts else rest, **{"Content-Length": str(len(rest))})

        def answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    return Handler
