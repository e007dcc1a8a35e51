"""Sign-in to the control room by a service elsewhere."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from config.values import Key, Section


class OidcSettings(Section):
    """Sign-in by a service of yours that speaks OpenID Connect (Keycloak, Authentik, Entra, Google, …)."""

    issuer: str = Field(
        "",
        pattern=r"^(https://[^\s?#]+|http://(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?(/[^\s?#]*)?)?$",
        description="Its address, as it calls itself; plain http only on this machine. Empty: nobody signs in so.",
    )
    client_id: str = Field("", description="What the control room is called there.")
    client_secret: Key | None = Field(None, description="Its secret there; none for a public client.")
    name: str = Field("single sign-on", min_length=1, max_length=40, description="What the button calls the service.")
    scopes: list[str] = Field(["openid", "profile", "email"], description="What the service is asked to tell.")
    name_claim: str = Field(
        "preferred_username", min_length=1, description="The claim that names a person here, when they first come."
    )
    role_claim: str = Field(
        "",
        description="The claim that holds groups or roles, such as groups or realm_access.roles. Empty: everybody "
        "comes as a viewer, and an admin gives other roles.",
    )
    roles: dict[str, Literal["viewer", "operator", "admin"]] = Field(
        {}, description="Values of that claim and the role that each gives; the highest counts, and none is a viewer."
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.issuer and not self.client_id:
            raise ValueError("oidc.issuer needs oidc.client_id: what the control room is called there")
        if "openid" not in self.scopes:
            raise ValueError("oidc.scopes needs openid")
        return self
