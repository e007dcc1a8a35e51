"""A small OpenID Connect provider on loopback: discovery, keys, codes for whoever asks, PKCE, signed tokens. It can
misbehave, in what it says and in how it signs."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.support.loopback import LoopbackServer

CLIENT, SECRET = "control-room", "s3cret:with/odd+chars"


@dataclass
class Provider:
    """A context manager. `person` is who signs in next."""

    person: dict[str, Any] = field(default_factory=lambda: {"sub": "u-1", "preferred_username": "ada"})
    twist: Callable[[dict[str, Any]], object] = lambda claims: None
    """Changes the claims of the next tokens."""
    refuses: bool = False
    asked: list[str] = field(default_factory=list)
    """Paths of all requests."""

    def __post_init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})
        self.shown = [self.key]
        self._codes: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None: ...

            def do_GET(self) -> None:
                provider._get(self)

            def do_POST(self) -> None:
                provider._post(self)

        self._server = LoopbackServer(Handler)

    @property
    def issuer(self) -> str:
        return f"{self._server.url}/realm"

    def __enter__(self) -> Provider:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()

    def change_key(self, *, shown: bool = True) -> None:
        """Sign with another key, which is shown, or is somebody else's."""
        self.key = RSAKey.generate_key(2048, {"kid": "k2", "use": "sig"})
        if shown:
            self.shown = [self.key]

    def _get(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.asked.append(parts.path)
        match parts.path:
            case "/realm/.well-known/openid-configuration":
                places = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "keys"}
                about = {name: f"{self.issuer}/{place}" for name, place in places.items()}
                _send(request, 200, {"issuer": self.issuer, **about})
            case "/realm/keys":
                _send(request, 200, {"keys": [key.as_dict(private=False) for key in self.shown]})
            case "/realm/auth":
                assert query["response_type"] == "code" and query["code_challenge_method"] == "S256"
                answer = {"state": query["state"], "iss": self.issuer}
                if self.refuses:
                    answer |= {"error": "access_denied", "error_description": "not on the list"}
                else:
                    code = answer["code"] = secrets.token_urlsafe(16)
                    self._codes[code] = query
                request.send_response(303)
                request.send_header("Location", f"{query['redirect_uri']}?{urlencode(answer)}")
                request.end_headers()
            case _:
                _send(request, 404, {})

    def _post(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        body = request.rfile.read(int(request.headers["Content-Length"])).decode()
        form = {key: values[0] for key, values in parse_qs(body).items()}
        basic = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        begun = self._codes.pop(form.get("code", ""), None)
        challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if request.headers["Authorization"] != basic:
            return _send(request, 401, {"error": "invalid_client"})
        right = begun and base64.urlsafe_b64encode(challenge).decode().rstrip("=") == begun["code_challenge"]
        if begun is None or not right or form["redirect_uri"] != begun["redirect_uri"]:
            return _send(request, 400, {"error": "invalid_grant"})
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": begun["client_id"], "iat": now, "exp": now + 300, "nonce": begun["nonce"],
                  **self.person}  # fmt: skip
        self.twist(claims)
        token = jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)
        _send(request, 200, {"access_token": "at", "token_type": "Bearer", "expires_in": 300, "id_token": token})


def _send(request: BaseHTTPRequestHandler, status: int, value: object) -> None:
    body = json.dumps(value).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
