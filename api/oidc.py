"""Sign-in by OpenID Connect: the authorisation code flow with PKCE, at the one service that the configuration names.

Who comes back must bring a `state` that was given out, once, to the same browser; what the service says of them must be
signed by one of its keys, be for this client, from this issuer, of now, and about this very sign-in (`nonce`).
Sources: OpenID Connect Core 1.0, section 3.1; RFC 7636 (PKCE); RFC 9207 (`iss` in the answer).
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from api.errors import ProviderAway, SignInRefused, TooMany
from api.tokens import SIGNED_ELSEWHERE
from config import OidcSettings
from memory import Role
from monitoring import get_logger, redact
from owner.way_in import digest_of

if TYPE_CHECKING:
    from authlib.integrations.httpx_client import OAuth2Client

log = get_logger(__name__)

_MINUTES, _MOST_BEGUN, _AT_ONCE = 10, 500, 3
"""For how long a sign-in may take, how many may have begun, and how many ask the service at a time: a slow one must not
hold all threads."""
_TIMEOUT, _LEEWAY, _KEYS_SECONDS, _MOST_BYTES = 10.0, 60, 60.0, 512 * 1024
"""Seconds to wait for the service, those that its clock may be wrong, and those between two looks at its keys."""


@dataclass(frozen=True)
class Identity:
    """Who somebody is, as the service says."""

    digest: str
    """Of issuer and subject, which never change."""
    name: str
    role: Role | None
    """None: roles are given here."""


@dataclass(frozen=True)
class _Begun:
    browser: str
    """Digest of a secret that the browser has in a cookie."""
    nonce: str
    verifier: str
    redirect: str
    until: float


class Oidc:
    """The service of one project. Nothing is asked before somebody signs in."""

    def __init__(self, settings: OidcSettings) -> None:
        self._settings = settings
        self._lock, self._busy = threading.Lock(), threading.BoundedSemaphore(_AT_ONCE)
        self._begun: dict[str, _Begun] = {}
        self._about: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._keys_at = float("-inf")

    def begin(self, redirect: str) -> tuple[str, str]:
        """Where the browser is sent, and a secret for its cookie. Raises `ProviderAway` and `TooMany`."""
        with self._asking() as client:
            place = self._known(client, "authorization_endpoint")
            state, browser = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
            begun = _Begun(
                digest_of(browser), secrets.token_urlsafe(32), secrets.token_urlsafe(48), redirect,
                time.monotonic() + 60 * _MINUTES,
            )  # fmt: skip
            address, _ = client.create_authorization_url(
                place, state=state, nonce=begun.nonce, code_verifier=begun.verifier, redirect_uri=redirect,
                scope=" ".join(self._settings.scopes),
            )  # fmt: skip
        with self._lock:
            now = time.monotonic()
            self._begun = {key: each for key, each in self._begun.items() if each.until > now}
            while len(self._begun) >= _MOST_BEGUN:
                self._begun.pop(next(iter(self._begun)))
            self._begun[state] = begun
        return address, browser

    def finish(self, answer: Mapping[str, str], browser: str) -> Identity:
        """Who came back with `answer`, the query of the address. Raises `SignInRefused`, `ProviderAway`, `TooMany`."""
        with self._lock:
            begun = self._begun.pop(answer.get("state", ""), None)
        same = begun is not None and secrets.compare_digest(begun.browser, digest_of(browser))
        if begun is None or not same or begun.until < time.monotonic():
            raise SignInRefused("this sign-in was not begun here, took too long or was used already; begin it again")
        if answer.get("iss", self._settings.issuer) != self._settings.issuer:
            raise SignInRefused("the answer comes from another service than the one that was asked")
        if "code" not in answer:
            told = redact(answer.get("error_description") or answer.get("error") or "it gave no code")[:200]
            raise SignInRefused(f"{self._settings.name} did not sign you in: {told}")
        with self._asking() as client:
            return self._identity(self._claims(client, answer["code"], begun))

    def _claims(self, client: OAuth2Client, code: str, begun: _Begun) -> Mapping[str, Any]:
        """What the service says of whom it gave this code, checked."""
        from authlib.integrations.base_client import OAuthError
        from authlib.oidc.core import CodeIDToken

        place = self._known(client, "token_endpoint")
        try:
            told = client.fetch_token(
                place, grant_type="authorization_code", code=code, code_verifier=begun.verifier,
                redirect_uri=begun.redirect,
            )  # fmt: skip
        except OAuthError as problem:
            raise SignInRefused(f"{self._settings.name} does not take the code: {redact(str(problem))[:200]}") from None
        if not isinstance(token := told.get("id_token"), str):
            raise SignInRefused(f"{self._settings.name} says nothing of who you are; api.oidc.scopes needs openid")
        try:
            found = self._read(client, token)
            options = {
                "iss": {"essential": True, "value": self._settings.issuer},
                "aud": {"essential": True, "value": self._settings.client_id},
                "sub": {"essential": True},
            }
            params = {"nonce": begun.nonce, "client_id": self._settings.client_id, "access_token": told["access_token"]}
            claims = CodeIDToken(found.claims, found.header, options, params)
            claims.validate(leeway=_LEEWAY)
        except (JoseError, ValueError, KeyError, TypeError) as problem:
            log.warning("a sign-in is refused", service=self._settings.issuer, problem=str(problem))
            raise SignInRefused(f"what {self._settings.name} says of you cannot be taken: {problem}") from None
        return dict(claims)

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        subject = claims["sub"]
        if not isinstance(subject, str) or not subject:
            raise SignInRefused(f"{self._settings.name} does not say who you are")
        role = None
        if self._settings.role_claim:
            held = _at(claims, self._settings.role_claim)
            words = held if isinstance(held, list) else held.split() if isinstance(held, str) else []
            given = [Role(self._settings.roles[word]) for word in words if word in self._settings.roles]
            role = max([Role.VIEWER, *given], key=list(Role).index)
        name = _at(claims, self._settings.name_claim)
        return Identity(digest_of(f"{self._settings.issuer} {subject}"), name if isinstance(name, str) else "", role)

    def _read(self, client: OAuth2Client, token: str) -> jwt.Token:
        """Signed by one of the keys of the service, which changes them now and then."""
        if self._keys is None:
            self._fetch_keys(client)
        assert self._keys is not None
        try:
            return jwt.decode(token, self._keys, SIGNED_ELSEWHERE)
        except (JoseError, ValueError):
            if time.monotonic() - self._keys_at < _KEYS_SECONDS:
                raise
            self._fetch_keys(client)
            return jwt.decode(token, self._keys, SIGNED_ELSEWHERE)

    def _fetch_keys(self, client: OAuth2Client) -> None:
        told = self._get(client, self._known(client, "jwks_uri"))
        try:
            self._keys = KeySet.import_key_set(told)  # type: ignore[arg-type]  # it is checked there
        except (JoseError, ValueError, KeyError, TypeError) as problem:
            raise ProviderAway(f"the keys of {self._settings.issuer} cannot be read: {problem}") from None
        self._keys_at = time.monotonic()

    def _known(self, client: OAuth2Client, what: str) -> str:
        """An address of the service, as it tells of itself (OpenID Connect Discovery 1.0)."""
        issuer = self._settings.issuer
        if not self._about:
            about = self._get(client, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if about.get("issuer") != issuer:
                told = str(about.get("issuer"))[:200]
                raise ProviderAway(f"{issuer} calls itself {told!r}: set api.oidc.issuer to that")
            self._about = about
        place = self._about.get(what)
        if not isinstance(place, str) or not _is_safe(place, issuer):
            raise ProviderAway(f"{issuer} does not say what its {what} is, or one without TLS")
        return place

    def _get(self, client: OAuth2Client, place: str) -> dict[str, Any]:
        answer = client.request("GET", place, withhold_token=True)
        if answer.status_code != 200 or len(answer.content) > _MOST_BYTES:
            raise ProviderAway(f"{place} answers with the status {answer.status_code}")
        found = answer.json()
        if not isinstance(found, dict):
            raise ProviderAway(f"{place} does not answer as a service of OpenID Connect does")
        return found

    @contextmanager
    def _asking(self) -> Iterator[OAuth2Client]:
        from authlib.integrations.httpx_client import OAuth2Client  # a tenth of a second, which others need not wait

        if not self._busy.acquire(blocking=False):
            raise TooMany("several people sign in at this moment; try again", 2)
        secret = self._settings.client_secret
        try:
            with OAuth2Client(
                self._settings.client_id, secret.get_secret_value() if secret else None,
                token_endpoint_auth_method="client_secret_basic" if secret else "none", code_challenge_method="S256",
                timeout=_TIMEOUT, follow_redirects=False,
            ) as client:  # fmt: skip
                yield client
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as problem:
            log.warning("the service that signs people in does not answer", problem=str(problem))
            raise ProviderAway(f"{self._settings.name} cannot be asked: {redact(str(problem))[:200]}") from None
        finally:
            self._busy.release()


def _at(claims: Mapping[str, Any], path: str) -> object:
    """A claim, also one within others: `realm_access.roles`. A name with dots of its own counts first."""
    if path in claims:
        return claims[path]
    found: object = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _is_safe(place: str, issuer: str) -> bool:
    """Plain http only where the issuer itself is on this machine."""
    parts, own = urlsplit(place), urlsplit(issuer)
    return parts.scheme == "https" or (parts.scheme == own.scheme == "http" and parts.hostname == own.hostname)
