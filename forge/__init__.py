"""The forge (GitHub, GitLab, Gitea) by its REST API: issues, comments, requests to merge, reviews, pipelines.

It knows nothing of tasks; what is made of it is in `owner/forge_desk.py`.
"""

from forge.errors import ForgeAway, ForgeError, ForgeRefused, NoForge, RateLimited
from forge.gitea import Gitea
from forge.github import GitHub
from forge.gitlab import GitLab
from forge.http import ForgeClient, Provider
from forge.models import Access, Checks, Forge, Issue, Person, Remark, Request, Run, Thread
from forge.pipelines import GitHubActions, GitLabCi, Pipelines, tail
from forge.webhooks import is_signed

FORGES: dict[Provider, type[GitHub | GitLab]] = {"github": GitHub, "gitlab": GitLab, "gitea": Gitea}


def open_forge(provider: Provider, api: str, repository: str, token: str) -> Forge:
    """A repository at a forge; nothing is asked yet."""
    return FORGES[provider](ForgeClient(provider, api, token), repository)


__all__ = [
    "FORGES",
    "Access",
    "Checks",
    "Forge",
    "ForgeAway",
    "ForgeClient",
    "ForgeError",
    "ForgeRefused",
    "GitHub",
    "GitHubActions",
    "GitLab",
    "GitLabCi",
    "Gitea",
    "Issue",
    "NoForge",
    "Person",
    "Pipelines",
    "Provider",
    "RateLimited",
    "Remark",
    "Request",
    "Run",
    "Thread",
    "is_signed",
    "open_forge",
    "tail",
]
