"""What every request passes first, and what every answer gets: the host it names, its size, the headers of safety.

The check of the host keeps out pages of other sites whose name was made to point at this machine (DNS rebinding): such
a request names the site, never an address or `localhost`.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import ApiError, TooLarge, WrongHost
from api.problems import as_json, problem_of
from config import ApiSettings

MOST_BODY = 1024 * 1024
"""Bytes of a request that are read."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with none, a browser hides where its own forms come from, too
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}


class Guard:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, settings: ApiSettings) -> None:
        self._app = app
        public = urlsplit(settings.public_url).hostname if settings.public_url else None
        self._hosts = {"localhost", settings.host.lower()} | ({public.lower()} if public else set())
        self._secure = settings.public_url.startswith("https:")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See https://asgi.readthedocs.io."""
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        size, send = _Size(), self._with_headers(scope, send)
        if not self._is_ours(headers.get("host", "")):
            told = f"this is not {headers.get('host', '')[:100]!r}; set api.public_url if a proxy stands before it"
            return await self._refuse(scope, receive, send, WrongHost(told))
        stated = headers.get("content-length", "0")
        too_large = TooLarge(f"at most {MOST_BODY:,} bytes are read")
        if not stated.isdecimal() or int(stated) > MOST_BODY:
            return await self._refuse(scope, receive, send, too_large)

        async def received() -> Message:
            message = await receive()
            size.bytes += len(message.get("body", b"")) if message["type"] == "http.request" else 0
            if size.bytes > MOST_BODY:
                raise too_large
            return message

        async def sent(message: Message) -> None:
            if size.bytes <= MOST_BODY:
                await send(message)
            elif message["type"] == "http.response.start":  # whatever the handler made of it
                await self._refuse(scope, receive, send, too_large)

        await self._app(scope, received, sent)

    def _is_ours(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        return name in self._hosts or _is_address(name)

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if self._secure:
                    headers.setdefault("Strict-Transport-Security", "max-age=31536000")
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        return sent

    @staticmethod
    async def _refuse(scope: Scope, receive: Receive, send: Send, error: ApiError) -> None:
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008, "reason": str(error)[:120]})
        await as_json(problem_of(error, scope["path"]), {"Connection": "close"})(scope, receive, send)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@dataclass
class _Size:
    """How much of a request was read: a body without a stated length is bounded, too."""

    bytes: int = 0
