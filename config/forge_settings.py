"""The forge that the repository lives at: whose issues become tasks, and what is written there."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from config.values import Key, Section


class ForgeSettings(Section):
    """The forge of the repository; without a provider nothing is read or written there."""

    provider: Literal["", "github", "gitlab", "gitea"] = Field(
        "", description="What it is; gitea is Forgejo, too. Empty: there is none. See docs/FORGE.md."
    )
    api: str = Field(
        "",
        pattern=r"^(https://[^\s@?#]+|http://(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?(/[^\s@?#]*)?)?$",
        description="Address of its API, such as https://git.example.com/api/v1; empty: https://api.github.com or "
        "https://gitlab.com/api/v4.",
    )
    repository: str = Field(
        "",
        pattern=r"^([A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+)?$",
        description="OWNER/NAME, or GROUP/PROJECT at GitLab.",
    )
    token: Key | None = Field(None, description="Token for its API; keep it in the environment.")
    label: str = Field("agents", min_length=1, max_length=50, description="Open issues with this label become tasks.")
    people: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        [], description="Names at the forge of those whose issues become tasks and whose answers and reviews count."
    )
    writers: bool = Field(True, description="Everybody who may push to the repository counts as one of them.")
    comments: bool = Field(True, description="false: nothing is written below issues.")
    request_for_integration: bool = Field(
        False, description="With `git.landing: integration`: keep one request open that would merge what has landed."
    )
    most_reworks: int = Field(
        5, ge=0, le=50, description="How often reviews and failed checks of one request become work again."
    )
    interval: float = Field(60, ge=0.1, le=86_400, description="Seconds between two looks at the forge.")
    webhook_secret: Key | None = Field(
        None,
        description="Secret of the forge's webhook, which has the daemon look at once: POST /api/v1/forge/webhook. "
        "Unset: webhooks are refused.",
    )

    @property
    def secrets(self) -> list[SecretStr]:
        """What is masked wherever it would be written."""
        return [secret for secret in (self.token, self.webhook_secret) if secret]

    @property
    def place(self) -> str:
        """The repository at its forge, as nothing else is called."""
        return f"{self.api.rstrip('/') or self.provider} {self.repository}"

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.provider and not self.repository:
            raise ValueError("forge.provider needs forge.repository: OWNER/NAME at the forge")
        if self.provider == "gitea" and not self.api:
            raise ValueError("forge.provider: gitea needs forge.api, such as https://git.example.com/api/v1")
        return self
