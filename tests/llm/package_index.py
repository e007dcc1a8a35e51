"""A package index and a model hub on loopback, which hand out a tiny model in parts."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections import Counter
from http.server import BaseHTTPRequestHandler

from llm import LocalModel
from llm.embedded.local_models import Wheels
from tests.support.loopback import LoopbackServer

PART_SIZE = 40_000
PACKAGE = "tiny-model-part"
HUB_PATH = "/acme/tiny/resolve/main/tiny.gguf"


class ModelIndex(LoopbackServer):
    """Serves the wheels of a model (`/simple/…`) and the whole file by ranges (`HUB_PATH`). A context manager.

    `hub`: whether there is a hub at all. `gates[path]` holds the answer to that path back until the event is set;
    `cut_hub` ends the hub's first answers after so many bytes.
    """

    def __init__(self, *, parts: int = 3, hub: bool = False, cut_hub: tuple[int, ...] = ()) -> None:
        last = PART_SIZE // 3
        self.content = hashlib.shake_128(b"model").digest(PART_SIZE * (parts - 1) + last)
        self.parts = parts
        self.hub = hub
        self.cuts = list(cut_hub)
        self.served: Counter[str] = Counter()
        self.ranges: list[str] = []
        self.gates: dict[str, threading.Event] = {}
        self.asked: dict[str, threading.Event] = {}
        super().__init__(_handler(self))

    @property
    def model(self) -> LocalModel:
        return LocalModel(
            name="tiny",
            repository="acme/tiny",
            file="tiny.gguf",
            sha256=hashlib.sha256(self.content).hexdigest(),
            size=len(self.content),
            wheels=Wheels(package=PACKAGE, version="0.1.0", parts=self.parts, part_size=PART_SIZE),
        )

    def hold(self, path: str) -> threading.Event:
        """Hold the answer to `path` back; gives the event that is set when it is asked for."""
        self.gates[path] = threading.Event()
        self.asked[path] = threading.Event()
        return self.asked[path]

    def wheel_name(self, number: int) -> str:
        return f"tiny_model_part{number}-0.1.0-py3-none-any.whl"

    def wheel(self, number: int) -> bytes:
        """A wheel as pip wants it: the part, METADATA, WHEEL and RECORD."""
        name = f"tiny_model_part{number}"
        info = f"{name}-0.1.0.dist-info"
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            part = self.content[(number - 1) * PART_SIZE : number * PART_SIZE]
            archive.writestr(f"{name}/data/part{number:02d}.bin", part)
            archive.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny-model-part{number}\nVersion: 0.1.0\n"
            )
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        return buffer.getvalue()

    def answer(self, path: str, byte_range: str) -> tuple[int, bytes, str]:
        """Status, body and content type for a path."""
        self.served[path] += 1
        if (asked := self.asked.get(path)) is not None:
            asked.set()
            self.gates[path].wait(200)
        if path == HUB_PATH and self.hub:
            self.ranges.append(byte_range)
            begin = int(byte_range.removeprefix("bytes=").split("-")[0] or 0)
            return 206, self.content[begin:], "application/octet-stream"
        parts = path.strip("/").split("/")
        if parts[0] == "simple" and parts[-1].startswith(PACKAGE):
            number = int(parts[-1].removeprefix(PACKAGE))
            name = self.wheel_name(number)
            return 200, f'<!DOCTYPE html><a href="/files/{name}">{name}</a>'.encode(), "text/html"
        if parts[0] == "files":
            number = int(parts[-1].removeprefix("tiny_model_part").split("-")[0])
            return 200, self.wheel(number), "application/zip"
        return 404, b"", "text/plain"

    def __exit__(self, *_: object) -> None:
        for gate in self.gates.values():
            gate.set()
        super().__exit__()


def _handler(index: ModelIndex) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            status, body, kind = index.answer(self.path, self.headers.get("Range", ""))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.path == HUB_PATH and index.cuts:
                body = body[: index.cuts.pop(0)]  # fewer bytes than promised, then the connection ends
            self.wfile.write(body)

    return Handler
