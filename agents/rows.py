"""The roles that are data: what they are for, what they handle, and on which grounds they may say no for good.

A role is a module of its own only where it does something that no other role does. An owner adds a role, or words one
of these anew, in `config.yaml`: `agents.<name>` with a `duty`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from config import AgentSettings, ConfigError, ConfigProblem

_MOST_PROMPT = 8000
"""Characters of a role's prompt file."""


@dataclass(frozen=True)
class Role:
    """A role that is data."""

    name: str
    title: str
    """What it is called in prompts and on pages."""
    duty: str
    """What it is for, told to it in the second person."""
    handles: tuple[str, ...] = ("opinion", "analysis")
    """Types of tasks that it can be given."""
    reviews: tuple[str, ...] = ()
    """Roles whose reports it reviews before they count."""
    vetoes: tuple[str, ...] = ()
    """Grounds on which its objection can be overruled by nobody but the owner."""
    prompt: str = ""
    """Further instructions, from the owner's file."""
    field: tuple[str, ...] = ()
    """Words by which a task that names nobody is known to be its own."""


_ROWS = (
    Role(
        "cfo",
        "chief financial officer",
        "You weigh what an idea costs to build, to run and to keep against what it brings. You calculate, and show "
        "each calculation so that it can be done again.",
        field=("cost", "price", "budget", "revenue", "invoice", "spend"),
    ),
    Role(
        "risk",
        "risk manager",
        "You look for what can go wrong with an idea: how likely it is, how bad it would be, how it would be noticed "
        "and how it could be taken back.",
        field=("risk", "outage", "failure", "incident", "rollback"),
    ),
    Role(
        "legal",
        "legal counsel",
        "You judge whether an idea is lawful: licences of what is used, personal data, what users were promised, and "
        "other people's rights.",
        vetoes=(
            "breaks a licence",
            "processes personal data without a lawful basis",
            "infringes rights of others",
            "breaks a law",
        ),
        field=("licence", "license", "law", "privacy", "gdpr", "consent", "terms"),
    ),
    Role(
        "security",
        "security engineer",
        "You judge what an idea opens to attackers: what is exposed, what is trusted, which secrets and data are at "
        "stake, and how it could be made safe.",
        reviews=("devops",),
        vetoes=(
            "exposes secrets",
            "exposes personal data",
            "runs untrusted code unconfined",
            "removes a safeguard without another",
        ),
        field=("security", "attack", "vulnerability", "secret", "password", "injection", "permission", "login"),
    ),
    Role(
        "devops",
        "DevOps engineer",
        "You judge how something is built, released, run and watched, and what it does to those who are on call.",
        field=("deploy", "release", "docker", "container", "pipeline", "server", "monitoring", "ci"),
    ),
    Role(
        "documentation",
        "technical writer",
        "You judge what users and developers read: whether it is there, right, and found by those who need it.",
        field=("documentation", "readme", "manual", "tutorial", "docs"),
    ),
    Role(
        "performance",
        "performance engineer",
        "You judge how fast, how large and how costly in operation something is, by measurements where there are any.",
        field=("performance", "slow", "fast", "speed", "latency", "memory", "benchmark"),
    ),
    Role(
        "pm",
        "project manager",
        "You see to it that work is cut into parts that can be done and checked, in an order that works, and that open "
        "questions are asked early.",
        field=("plan", "milestone", "schedule", "deadline", "roadmap"),
    ),
    Role(
        "backend",
        "backend developer",
        "You judge and plan what runs on servers: data, interfaces, errors, migrations.",
        reviews=("frontend",),
        field=("database", "migration", "query", "endpoint", "api", "queue"),
    ),
    Role(
        "frontend",
        "frontend developer",
        "You judge and plan what people see and use: pages, forms, accessibility, how long things take.",
        reviews=("backend",),
        field=("page", "css", "button", "form", "browser", "accessibility", "layout"),
    ),
)
ROWS: Mapping[str, Role] = {role.name: role for role in _ROWS}
"""Name -> role, in the order in which lists show them."""


def rows_of(own: Mapping[str, AgentSettings], *, with_prompts: bool = True) -> dict[str, Role]:
    """Name -> role, with what an owner adds or changes. `with_prompts`: also the texts of their files. Raises
    `ConfigError` for one that cannot be read."""
    found = dict(ROWS)
    for name, settings in own.items():
        base = found.get(name)
        if base is None and not settings.duty:
            continue  # a role with a class of its own, or one that is unknown, which `check_names` says
        base = base or Role(name, name.replace("_", " "), settings.duty)
        found[name] = Role(
            name=name,
            title=settings.title or base.title,
            duty=settings.duty or base.duty,
            handles=tuple(settings.handles) or base.handles,
            reviews=tuple(settings.reviews) or base.reviews,
            vetoes=tuple(settings.vetoes) or base.vetoes,
            field=tuple(settings.field) or base.field,
            prompt=_text_of(name, settings.prompt) if settings.prompt and with_prompts else base.prompt,
        )
    return found


def _text_of(name: str, path: Path) -> str:
    where = f"agents.{name}.prompt"
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        told = f"cannot be read: {getattr(problem, 'strerror', None) or problem}; give a text file in UTF-8"
        raise ConfigError("config.yaml", [ConfigProblem(where, str(path), told)]) from None
    if len(text) > _MOST_PROMPT:
        told = f"is longer than {_MOST_PROMPT} characters; shorten it"
        raise ConfigError("config.yaml", [ConfigProblem(where, str(path), told)])
    return text
