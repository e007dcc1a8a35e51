"""JSON web tokens (RFC 7519): short-lived bearer tokens for programs, which nobody has to store.

The daemon signs its own with a secret that it keeps in its state folder. Somebody else, such as a company's sign-in
service, may sign others, whose public key the owner configures. Either kind names a person of the control room (`sub`),
what it may be used for (`scope`), for whom it is (`aud`) and when it ends (`exp`), and never allows more than that
person may. Which algorithms are taken is decided by the key, never by the token.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from api.errors import NoSecret, SignInNeeded
from config import ApiSettings
from memory import Person, Role
from monitoring import get_logger

log = get_logger(__name__)

_ISSUER, _SECRET_FILE, _SECRET_BYTES = "ai-agents", "control-room.secret", 32
_OURS = ["HS256"]
SIGNED_ELSEWHERE = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]
_LEEWAY = 30
"""Seconds that the clock of another machine may be wrong."""
MOST_MINUTES = 24 * 60
_MOST_LENGTH = 8 * 1024


@dataclass(frozen=True)
class Claims:
    """What a token that is good says."""

    person: str
    scopes: tuple[Role, ...]
    name: str
    """What tells it from others in the audit trail."""
    key: int | None
    """The key with which it was made, and with which it ends."""
    person_id: int | None
    """Whom one of ours was made for: another one may have the name by now."""


class Tokens:
    """The tokens of one project."""

    def __init__(self, settings: ApiSettings, state: Path) -> None:
        self._state, self._public_key = state, settings.token_public_key
        self.audience = settings.public_url.rstrip("/") or _ISSUER
        """What `aud` has to name."""

    def make(self, person: Person, scopes: Sequence[Role], minutes: float, key: int | None = None) -> str:
        """A token of ours. Raises `NoSecret`."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": _ISSUER, "aud": self.audience, "sub": person.name, "pid": person.id, "scope": " ".join(scopes),
            "iat": now, "exp": now + int(60 * minutes), "jti": secrets.token_hex(8),
        }  # fmt: skip
        return jwt.encode({"alg": _OURS[0]}, claims | ({"key": key} if key is not None else {}), self._secret, _OURS)

    def read(self, token: str) -> Claims:
        """What it says. Raises `SignInNeeded` when it is none, was signed by somebody else, is for somebody else, or is
        over; the message says which. Raises `NoSecret`."""
        if len(token) > _MOST_LENGTH:
            raise SignInNeeded("this token is too long")
        ours = True
        try:
            found = jwt.decode(token, self._secret, _OURS)
        except (JoseError, ValueError, TypeError):
            ours, found = False, self._signed_elsewhere(token)
        rules: dict[str, Any] = {
            "aud": {"essential": True, "value": self.audience}, "sub": {"essential": True}, "exp": {"essential": True},
        }  # fmt: skip
        if ours:
            rules["iss"] = {"essential": True, "value": _ISSUER}
        try:
            jwt.JWTClaimsRegistry(leeway=_LEEWAY if not ours else 0, **rules).validate(found.claims)
        except JoseError as problem:
            told = str(problem) or type(problem).__name__
            raise SignInNeeded(f"this token is not good here any more, or never was: {told}") from None
        claims = found.claims
        scope = claims.get("scope", "")
        words = scope.split() if isinstance(scope, str) else scope if isinstance(scope, list) else []
        return Claims(
            person=str(claims["sub"]),
            scopes=tuple(role for role in Role if role.value in words),
            name=str(claims.get("jti", ""))[:16] if ours else str(claims.get("iss", "signed elsewhere"))[:60],
            key=claims.get("key") if ours else None,
            person_id=claims.get("pid", 0) if ours else None,
        )

    def _signed_elsewhere(self, token: str) -> jwt.Token:
        if self._others is not None:
            with suppress(JoseError, ValueError, TypeError):
                return jwt.decode(token, self._others, SIGNED_ELSEWHERE)
        raise SignInNeeded("this token was signed by somebody who is not known here")

    @cached_property
    def _secret(self) -> OctKey:
        """Made when it is first needed, all of it at once: a kill in between leaves none, and not half of one."""
        place = self._state / _SECRET_FILE
        try:
            if not place.exists():
                with tempfile.NamedTemporaryFile("w", dir=self._state, prefix=f".{_SECRET_FILE}-") as written:
                    written.write(secrets.token_hex(_SECRET_BYTES))
                    written.flush()
                    with suppress(FileExistsError):  # another thread made it
                        os.link(written.name, place)
            kept = place.read_text("ascii").strip()
            if len(kept) < 2 * _SECRET_BYTES:
                raise ValueError("it holds no secret; delete it, and a new one is made")
        except (OSError, ValueError) as problem:
            log.error("the secret of tokens cannot be used", file=str(place), problem=str(problem))
            raise NoSecret(
                "tokens are neither made nor read: their secret cannot be used; agents.log says why"
            ) from None
        return OctKey.import_key(kept)

    @cached_property
    def _others(self) -> RSAKey | ECKey | OKPKey | KeySet | None:
        """The key of whoever else signs; None: there is none, or it cannot be used."""
        if self._public_key is None:
            return None
        try:
            return public_key(self._public_key.read_bytes())
        except (OSError, ValueError, JoseError) as problem:
            log.error("api.token_public_key cannot be used", file=str(self._public_key), problem=str(problem))
            return None


def public_key(text: bytes) -> RSAKey | ECKey | OKPKey | KeySet:
    """A key in PEM, or a JWK set. Raises `ValueError` for what is neither, and for a secret or private key."""
    if text.lstrip().startswith(b"{"):
        shared = json.loads(text)
        if not isinstance(shared.get("keys"), list):
            raise ValueError("it is JSON without a list of `keys`; a JWK set has one")
        found = KeySet.import_key_set(shared)
        if any(isinstance(key, OctKey) or key.is_private for key in found.keys):
            raise ValueError("it holds a secret or private key; a public one is needed")
        return found
    if b"PRIVATE" in text:
        raise ValueError("it holds a private key; a public one is needed")
    for kind in (RSAKey, ECKey, OKPKey):
        with suppress(ValueError, JoseError, TypeError):
            return kind.import_key(text)
    raise ValueError("it holds no public key (RSA, elliptic curve or Ed25519) in PEM, and no JWK set")
