"""A public address that never closes: while one process serves it, connections can be told to wait for the next.

Listening sockets of one address share its connections (SO_REUSEPORT). To stop a process without losing a connection
that it has taken but not read yet, a fresh socket is opened beside the old one, and the kernel is told, by a filter of
one word, to give all new connections to it. The old one runs dry, and then its process can be ended.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time

from deployment.gateway.files import BACKLOG, Trouble

_ATTACH_FILTER = 51
"""SO_ATTACH_REUSEPORT_CBPF, which Python has no name for."""
_RETURN = 0x06
_NEWEST = 1
"""The place of the fresh socket among two; where there is one alone, the kernel takes that."""
_DRY_SECONDS = 2.0
_READ_SECONDS = 0.2
"""In which a client that is connected sends its request."""


class PublicAddress:
    """HOST:PORT, held for a service."""

    def __init__(self, address: str, *, may_be_shared: bool = False) -> None:
        host, _, port = address.rpartition(":")
        self._place = (host.strip("[]"), int(port))
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        if not may_be_shared:  # by what a killed gateway has left behind
            try:
                socket.create_server(self._place, family=self._family).close()
            except OSError as problem:
                raise Trouble("refused", f"nothing can listen at {address}: {problem}") from problem
        self.socket = self._opened()

    def renew(self) -> None:
        """Have new connections wait in a fresh socket, and return when the old one has run dry."""
        old, self.socket = self.socket, self._opened()
        run_dry(old)
        old.close()

    def close(self) -> None:
        """Let the address go."""
        self.socket.close()

    def _opened(self) -> socket.socket:
        opened = socket.socket(self._family)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            opened.bind(self._place)
            opened.listen(BACKLOG)
            word = ctypes.create_string_buffer(struct.pack("HBBI", _RETURN, 0, 0, _NEWEST))
            opened.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(word)))
        except OSError as problem:
            opened.close()
            raise Trouble("refused", f"nothing can listen at {self._place[0]}:{self._place[1]}: {problem}") from problem
        return opened


def run_dry(old: socket.socket | None) -> None:
    """Wait until no connection waits in a socket, and those that were taken have sent their requests."""
    end = time.monotonic() + _DRY_SECONDS
    while old and time.monotonic() < end and _waiting(old):
        time.sleep(0.005)
    time.sleep(_READ_SECONDS)


def _waiting(listening: socket.socket) -> int:
    """How many connections wait to be taken: `tcpi_unacked` of a socket that listens."""
    found: int = struct.unpack_from("I", listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 24)[0]
    return found
