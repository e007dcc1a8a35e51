"""The one way out of the set-up sandbox: an HTTP proxy that leads to package indexes and nowhere else.

The sandbox has a network of its own: a loopback, no names, no route. The first program in it (`entrance.py`) opens a
port on that loopback and hands it over, and the daemon accepts on it. A client is let through to hosts that are on the
list, by name and port. What it sends there is encrypted end to end; only the name in its greeting (SNI) is read, so
that a server of many sites is not asked for another one.

What is known to get through: whatever a listed host itself takes in, such as a package that is published there.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import ipaddress
import os
import re
import socket
import ssl
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import proxy_bypass

from monitoring import get_logger
from testing.sandbox import entrance

_log = get_logger(__name__)

PORT = 3128
"""Where the proxy listens inside; nothing else is in that network."""
_PORTS = {"http": 80, "https": 443}
_HEAD = 1 << 15
_PIECE = 1 << 16
_CLIENTS = 64
_CONNECT_SECONDS, _IDLE_SECONDS = 20.0, 300.0
_MOST_REFUSED = 20
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?|[0-9a-f:.]{2,45}")
_HOP_BY_HOP = (b"proxy-", b"connection:", b"keep-alive:", b"host:")

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Refused(Exception):
    """What a client asks for is not let through; the words become the reason in its answer."""


@dataclass(frozen=True)
class Origin:
    """A host that may be reached."""

    host: str
    port: int | None = None
    """None: that of HTTPS, and that of HTTP as well where the owner named the host."""
    by_owner: bool = False
    """The owner named it; it may be on this machine."""

    @classmethod
    def of(cls, text: str) -> Origin:
        """From `HOST`, `HOST:PORT` or a URL, as the owner writes it. Raises ValueError."""
        parts = urlsplit(text if "://" in text else f"//{text}")
        host = _plain(parts.hostname or "")
        if not _HOST.fullmatch(host):
            raise ValueError(f"{text!r} is no host; write HOST or HOST:PORT")
        return cls(host, parts.port or _PORTS.get(parts.scheme), by_owner=True)

    def leads_to(self, host: str, port: int) -> bool:
        """Whether it stands for this host and port."""
        usual = _PORTS.values() if self.by_owner else [_PORTS["https"]]
        return host == self.host and (port == self.port if self.port else port in usual)


class Gateway:
    """The way out for one run. As a context it accepts clients until its end.

    `origins`: what may be reached. `environ`: the daemon's own variables, whose proxies are used, if there are any.
    """

    def __init__(self, origins: Collection[Origin], environ: Mapping[str, str]) -> None:
        self.refused: list[str] = []
        """Hosts that were asked for and are not on the list."""
        self._origins = [*origins]
        self._proxies = _proxies(environ)
        self._ours, self._inside = socket.socketpair()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="gateway", daemon=True)
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def __enter__(self) -> Self:
        self._ours.setblocking(False)
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None and self._stop is not None
        self._inside.close()
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._ours.close()

    @property
    def variables(self) -> dict[str, str]:
        """What tells programs inside of the proxy."""
        url = f"http://127.0.0.1:{PORT}"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
        others = ("PIP_PROXY", "npm_config_proxy", "npm_config_https_proxy", "npm_config_https-proxy")
        return {
            **dict.fromkeys((*names, *others), url),
            **dict.fromkeys(("NO_PROXY", "no_proxy", "npm_config_noproxy"), ""),
        }

    def entrance(self, python: str, fds: list[int]) -> list[str]:
        """What stands before the command inside; the descriptor that it needs is added to `fds`."""
        fds.append(os.dup(self._inside.fileno()))
        return [python, "-I", "-S", "-c", inspect.getsource(entrance), str(fds[-1]), str(PORT)]

    # ---- accepting

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        handed = asyncio.Event()
        self._loop.add_reader(self._ours, handed.set)
        self._started.set()
        stop, opened = (asyncio.ensure_future(event.wait()) for event in (self._stop, handed))
        await asyncio.wait((stop, opened), return_when=asyncio.FIRST_COMPLETED)
        self._loop.remove_reader(self._ours)
        opened.cancel()
        listener = _handed_over(self._ours) if handed.is_set() else None
        if listener is None:  # the sandbox did not start
            stop.cancel()
            return
        self._places = asyncio.Semaphore(_CLIENTS)
        server = await asyncio.start_server(self._client, sock=listener, limit=_HEAD)
        await stop
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._places:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                await self._answer(head, (reader, writer))
            except _Refused as problem:
                writer.write(f"HTTP/1.1 403 {problem}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
            except (OSError, ssl.SSLError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as bad:
                _log.debug("a client of the set-up's way out was left", problem=repr(bad))
            except asyncio.CancelledError:  # the set-up has ended; asyncio's streams would log this as an error
                _log.debug("a client of the set-up's way out was cut off")
            finally:
                with suppress(OSError, TimeoutError):
                    async with asyncio.timeout(_CONNECT_SECONDS):
                        await writer.drain()
                writer.close()

    async def _answer(self, head: bytes, client: Streams) -> None:
        first, *lines = head[:-4].split(b"\r\n")
        try:
            method, target, _ = first.decode("ascii").split(" ")
            parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
            host, port = _plain(parts.hostname or ""), parts.port or _PORTS.get(parts.scheme, 443)
        except ValueError:
            raise _Refused("Not a request to a proxy") from None
        if method != "CONNECT" and parts.scheme != "http":
            raise _Refused("Not a request to a proxy")
        self._check(host, port)
        if method == "CONNECT":
            client[1].write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await self._tunnel(host, port, client)
        else:
            try:
                await self._forward(method, parts, (host, port), lines, client)
            except (OSError, TimeoutError):
                client[1].write(b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                raise

    def _check(self, host: str, port: int) -> Origin:
        found = next((origin for origin in self._origins if origin.leads_to(host, port)), None)
        if found is None or not _HOST.fullmatch(host):
            name = host if port in _PORTS.values() else f"{host}:{port}"
            if name not in self.refused and len(self.refused) < _MOST_REFUSED and _HOST.fullmatch(host):
                self.refused.append(name)
                _log.warning("the set-up asked for a host that is not a package index", host=name)
            raise _Refused("Not a package index and not among testing.setup_hosts")
        return found

    async def _tunnel(self, host: str, port: int, client: Streams) -> None:
        """Both ways, once the greeting of TLS has named this very host."""
        greeting, name = b"", None
        async with asyncio.timeout(_CONNECT_SECONDS):
            while name is None and len(greeting) < _HEAD:
                piece = await client[0].read(_PIECE)
                if not piece:
                    return
                greeting += piece
                name = _greeted(greeting)
        if name is not None and _plain(name) != host and not (name == "" and _is_address(host)):
            raise ConnectionError(f"the greeting to {host} names {name!r}")
        if name is None:
            raise ConnectionError(f"no TLS is spoken to {host}")
        server = await self._connect("https", host, port)
        server[1].write(greeting)
        await _both_ways(client, server)

    async def _forward(
        self, method: str, parts: SplitResult, origin: tuple[str, int], lines: Sequence[bytes], client: Streams
    ) -> None:
        host, port = origin
        proxy = self._proxy("http", host)
        server = await (_open(proxy.hostname or "", proxy.port or 80) if proxy else self._connect("http", host, port))
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        name = f"[{host}]" if ":" in host else host
        where = f"{name}:{port}" if port != _PORTS["http"] else name
        kept = [line for line in lines if not line.lower().startswith(_HOP_BY_HOP)]
        if proxy:
            path = f"http://{where}{path}"
            kept += _authorization(proxy)
        head = [f"{method} {path} HTTP/1.1".encode(), f"Host: {where}".encode(), *kept, b"Connection: close"]
        server[1].write(b"\r\n".join([*head, b"", b""]))
        await _both_ways(client, server)

    # ---- reaching out

    def _proxy(self, scheme: str, host: str) -> SplitResult | None:
        """The daemon's own proxy for a host, if it has one."""
        if proxy_bypass(host, self._proxies):
            return None
        url = self._proxies.get(scheme) or self._proxies.get("all")
        return urlsplit(url if "://" in url else f"http://{url}") if url else None

    async def _connect(self, scheme: str, host: str, port: int) -> Streams:
        if proxy := self._proxy(scheme, host):
            return await _through(proxy, host, port)
        local = self._check(host, port).by_owner
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_CONNECT_SECONDS):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        error: OSError = OSError(f"{host} has no address that may be reached")
        for address in addresses:
            if local or not _is_local(address):
                try:
                    return await _open(address, port)
                except (OSError, TimeoutError) as problem:
                    error = OSError(f"{host} at {address}: {problem!r}")
        raise error


def _handed_over(ours: socket.socket) -> socket.socket | None:
    """The listening socket that the first program inside has sent."""
    with suppress(OSError):
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
        for descriptor in descriptors:
            return socket.socket(fileno=descriptor)
    return None


async def _open(host: str, port: int, tls: bool = False) -> Streams:
    async with asyncio.timeout(_CONNECT_SECONDS):
        return await asyncio.open_connection(host, port, limit=_HEAD, ssl=tls or None)


async def _through(proxy: SplitResult, host: str, port: int) -> Streams:
    """A tunnel through the daemon's own proxy."""
    if proxy.scheme not in _PORTS:
        raise OSError(f"a proxy of the kind {proxy.scheme!r} cannot be used; HTTP and HTTPS proxies can")
    reader, writer = await _open(proxy.hostname or "", proxy.port or _PORTS[proxy.scheme], proxy.scheme == "https")
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    head = [f"CONNECT {where} HTTP/1.1".encode(), f"Host: {where}".encode(), *_authorization(proxy)]
    writer.write(b"\r\n".join([*head, b"", b""]))
    async with asyncio.timeout(_CONNECT_SECONDS):
        answer = await reader.readuntil(b"\r\n\r\n")
    if b" 200" not in answer.partition(b"\r\n")[0]:
        writer.close()
        raise OSError(f"the machine's proxy does not lead to {host}: {answer[:80]!r}")
    return reader, writer


def _authorization(proxy: SplitResult) -> list[bytes]:
    if not proxy.username:
        return []
    words = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
    return [b"Proxy-Authorization: Basic " + base64.b64encode(words)]


async def _both_ways(one: Streams, other: Streams) -> None:
    try:
        async with asyncio.TaskGroup() as ways:
            ways.create_task(_pump(one[0], other[1]))
            ways.create_task(_pump(other[0], one[1]))
    except* (OSError, TimeoutError, ssl.SSLError) as problems:
        _log.debug("a connection of the set-up broke off", problems=[repr(each) for each in problems.exceptions])
    finally:
        other[1].close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        async with asyncio.timeout(_IDLE_SECONDS):
            piece = await reader.read(_PIECE)
        if not piece:
            break
        writer.write(piece)
        await writer.drain()
    if not writer.is_closing() and writer.can_write_eof():
        with suppress(OSError):  # its other end has gone
            writer.write_eof()


def _greeted(greeting: bytes) -> str | None:
    """The host that a greeting of TLS names, empty if it names none; None while it is not whole, or is none."""
    named: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _, name, __: named.append(name or "")
    received = ssl.MemoryBIO()
    received.write(greeting)
    with suppress(ssl.SSLError):  # no certificate: it is not meant to be answered
        context.wrap_bio(received, ssl.MemoryBIO(), server_side=True).do_handshake()
    return named[0] if named else None


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _is_address(host: str) -> bool:
    with suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    return False


def _is_local(address: str) -> bool:
    """Whether it is this machine, or what only this machine reaches, such as a cloud's metadata."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast


def _proxies(environ: Mapping[str, str]) -> dict[str, str]:
    names = {
        name.lower(): value for name, value in sorted(environ.items(), key=lambda item: item[0].islower()) if value
    }
    return {name.removesuffix("_proxy"): value for name, value in names.items() if name.endswith("_proxy")}
