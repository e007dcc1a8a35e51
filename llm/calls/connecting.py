"""Why a server cannot be reached, in words that say what to do: for calls and for `doctor`."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit


def no_connection(error: BaseException, address: str) -> str:
    """What kept a request from the server at `address`, and the remedy; `error` and what led to it are looked at."""
    causes = list(_causes(error))
    told = " ".join(str(cause) for cause in causes)
    host = urlsplit(address).netloc or address or "the provider"
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes) or "CERTIFICATE_VERIFY_FAILED" in told:
        return (
            f"the certificate of {host} is not trusted: give the authority that signed it by SSL_CERT_FILE, or, for a "
            "server of your own without one, write http:// in llm.base_url"
        )
    if any(isinstance(cause, ssl.SSLError) for cause in causes) or "WRONG_VERSION_NUMBER" in told:
        return f"{host} does not speak TLS: write http:// instead of https:// in llm.base_url"
    if any(isinstance(cause, socket.gaierror) for cause in causes) or "Name or service not known" in told:
        return f"the host {host} is not known: see that llm.base_url is right, and that this machine resolves names"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes) or "Connection refused" in told:
        return f"nothing listens at {host}: start the server, or mend the port in llm.base_url"
    if any(type(cause).__name__ in ("UnsupportedProtocol", "InvalidURL") for cause in causes):
        return f"llm.base_url is no address of a server: {address}; it begins with http:// or https://"
    if any(type(cause).__name__ == "LocalProtocolError" for cause in causes):
        return f"the request to {host} cannot be written: see that the key holds no line end or other odd characters"
    told_last = (str(cause) for cause in reversed(causes) if str(cause) and not isinstance(cause, LookupError))
    last = next(told_last, type(error).__name__)  # a LookupError is what a library's own loop met, not the cause
    tls = "; if it speaks TLS, write https:// in llm.base_url" if address.startswith("http://") else ""
    return f"no connection to {host}, or it was cut: {last[:300]}{tls}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [cause for cause in (each.__cause__, each.__context__) if cause is not None]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions
