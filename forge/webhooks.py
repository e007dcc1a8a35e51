"""Whether the forge itself sends a webhook: it shares a secret with us. What a webhook says is never believed; it only
means that it is worth looking now."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from forge.http import Provider


def is_signed(provider: Provider, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the sender knows the secret. Without a secret nobody is believed."""
    if not secret:
        return False
    if provider == "gitlab":  # it sends the secret itself
        return hmac.compare_digest(headers.get("x-gitlab-token", "").encode(), secret.encode())
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if provider == "github":
        return hmac.compare_digest(headers.get("x-hub-signature-256", "").encode(), f"sha256={digest}".encode())
    given = headers.get("x-gitea-signature") or headers.get("x-forgejo-signature") or ""
    return hmac.compare_digest(given.encode(), digest.encode())
