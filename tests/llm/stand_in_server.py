#!/usr/bin/env python3
"""A stand-in for `llama-server`: a real process with its arguments and its HTTP, but no model in it.

It tells what it was started with, and obeys a prompt: `crash` ends it, `crash once` only if the file named by the
model path plus `.crashed` is not there yet, `environment` answers with the names of its variables, `arguments` with
what it was started with.
"""

import argparse
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--model", type=Path)
parser.add_argument("--host")
parser.add_argument("--port", type=int)
for name in ("--ctx-size", "--parallel", "--threads", "--cache-ram", "--poll", "--poll-batch"):
    parser.add_argument(name, type=int)
parser.add_argument("--chat-template-kwargs", type=json.loads)
parser.add_argument("--reasoning-budget", type=int)
arguments = parser.parse_args()

if b"broken" in arguments.model.read_bytes():
    sys.exit("error: failed to load the model: it is broken")


def obey(prompt: str) -> str:
    crashed = Path(f"{arguments.model}.crashed")
    if prompt == "crash" or (prompt == "crash once" and not crashed.exists()):
        crashed.touch()
        print("error: something awful", file=sys.stderr, flush=True)
        os._exit(42)
    if prompt == "environment":
        return json.dumps(sorted(os.environ))
    if prompt == "arguments":
        return json.dumps(vars(arguments), default=str)
    return f"{os.getpid()}: {prompt}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.answer(200 if self.path == "/health" else 404, {"status": "ok"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers.get("Authorization") != f"Bearer {os.environ['LLAMA_API_KEY']}":
            self.answer(401, {"error": {"message": "invalid key", "code": 401}})
            return
        message = {"role": "assistant", "content": obey(body["messages"][-1]["content"])}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        usage: dict[str, object] = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
        usage["prompt_tokens_details"] = {"cached_tokens": 3}
        told = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        self.answer(200, told)

    def answer(self, status: int, body: dict[str, object]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


ThreadingHTTPServer((arguments.host, arguments.port), Handler).serve_forever()
