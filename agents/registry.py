"""What is registered by name: the roles there are, and the names in `config.yaml` that a registry decides on.

To add a role, write its class in a file of this folder, with its name, its title and its duty, and register it in
`names.py`; docs/ARCHITECTURE.md says how to give it a stage in a flow. Names are checked here, when a command loads the
configuration, because `config/` knows no registry.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name

from agents.base import BaseAgent
from agents.expert import Expert
from agents.names import PLACES, agent_names
from agents.rows import rows_of
from config import DEFAULT, AgentSettings, ConfigError, ConfigProblem, Settings
from llm import LLMClient, local_model_problems, model_name_problems, provider_names
from memory import TaskKind, TaskType
from testing import FRAMEWORKS

ROLES: dict[str, type[BaseAgent]] = {name: resolve_name(place) for name, place in PLACES.items()}
"""Name -> class of the roles that have one, in the order in which lists show them."""


def members(llm: LLMClient, own: Mapping[str, AgentSettings]) -> dict[str, BaseAgent]:
    """Everybody on the team by name: a role with a class of its own, or a row (see `agents.rows`)."""
    classes: dict[str, BaseAgent] = {name: agent(llm) for name, agent in ROLES.items()}
    return classes | {name: Expert(llm, row) for name, row in rows_of(own).items() if name not in ROLES}


@dataclass(frozen=True)
class NameCheck:
    """A setting whose values, or keys, are names from a registry."""

    path: str
    """Where the names stand in `config.yaml`, such as `agents` or `llm.provider`."""
    given: Callable[[Settings], Iterable[str]]
    """The names that the owner wrote."""
    allowed: Callable[[], Sequence[str]]
    """The names that are registered."""
    keys: bool = False
    """Whether the names are the keys of the section `path`."""
    grows: bool = False
    """Whether an owner may add names elsewhere in the configuration: an editor cannot know them."""

    def problems(self, settings: Settings) -> list[ConfigProblem]:
        """One for each name that is not registered."""
        allowed = list(self.allowed())
        found = []
        for name in self.given(settings):
            if name not in allowed:
                close = difflib.get_close_matches(name, allowed, n=1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                words = f"unknown name; allowed: {', '.join(map(repr, allowed))}{hint}"
                path, value = (f"{self.path}.{name}", "") if self.keys else (self.path, repr(name))
                found.append(ConfigProblem(path, value, words))
        return found


def _known_by_name(settings: Settings) -> Iterable[str]:
    return [name for name, own in settings.agents.items() if not own.duty]  # with a duty it is a new role


def _v_team(settings: Settings) -> Sequence[str]:
    """The roles that sit in every V-team; none where the idea decides."""
    team = settings.orchestrator.v_team
    return () if isinstance(team, str) else team


def _on_the_v_team(settings: Settings) -> Iterable[str]:
    return _not_added(settings, _v_team(settings))


def _in_discussions(settings: Settings) -> Iterable[str]:
    return _not_added(settings, settings.orchestrator.discussion_team)


def _not_added(settings: Settings, names: Iterable[str]) -> Iterable[str]:
    added = {name for name, own in settings.agents.items() if own.duty}
    return [name for name in names if name not in added]


def _in_autonomy(settings: Settings) -> Iterable[str]:
    stated = settings.orchestrator.autonomy
    return () if isinstance(stated, str) else stated


def _with_autonomy() -> Sequence[str]:
    """What autonomy can be stated for: types of tasks by which something is done, and kinds of code tasks."""
    return [
        DEFAULT,
        TaskType.CODE.value,
        TaskType.PLAN.value,
        TaskType.DECISION.value,
        TaskType.PROJECT.value,
        TaskType.SKELETON.value,
        *(kind.value for kind in TaskKind),
    ]


NAME_CHECKS: list[NameCheck] = [
    NameCheck("agents", _known_by_name, agent_names, keys=True, grows=True),
    NameCheck("orchestrator.autonomy", _in_autonomy, _with_autonomy, keys=True, grows=True),
    NameCheck("orchestrator.v_team", _on_the_v_team, agent_names, grows=True),
    NameCheck("orchestrator.discussion_team", _in_discussions, agent_names, grows=True),
    NameCheck("testing.framework", lambda settings: [settings.testing.framework], lambda: ["auto", *FRAMEWORKS]),
    NameCheck("llm.provider", lambda settings: [settings.llm.provider], provider_names),
]


def check_names(settings: Settings, source: str) -> None:
    """Raise `ConfigError` for `source`, the configuration file, when `settings` name what is not registered."""
    problems = [problem for check in NAME_CHECKS for problem in check.problems(settings)]
    problems += _role_problems(settings)
    problems += local_model_problems(settings.llm)
    problems += model_name_problems(settings.llm, settings.agents)  # a provider may stand before a model's name
    if problems:
        raise ConfigError(source, problems)


_OF_ROWS = ("title", "duty", "prompt", "handles", "field", "reviews", "vetoes")
"""What can be said of a role that is data, and of no other."""


def _role_problems(settings: Settings) -> list[ConfigProblem]:
    """What is said of roles and would do nothing: words for a role with a class, a seat for one that gives no
    opinions."""
    found = [
        ConfigProblem(
            f"agents.{name}.{key}", "", "cannot be set: this role has a class of its own, which says what it is"
        )
        for name, own in settings.agents.items()
        if name in PLACES
        for key in _OF_ROWS
        if getattr(own, key)
    ]
    rows = rows_of(settings.agents, with_prompts=False)
    found += [
        ConfigProblem("orchestrator.v_team", repr(name), f"gives no opinions; agents.{name}.handles leaves opinion out")
        for name in _v_team(settings)
        if name in rows and TaskType.OPINION not in rows[name].handles
    ]
    known = {*PLACES, *rows}
    for name, role in rows.items():
        found += [
            ConfigProblem(f"agents.{name}.reviews", repr(other), "is no role that there is")
            for other in role.reviews
            if other not in known
        ]
        found += [
            ConfigProblem(f"agents.{name}.handles", repr(type), f"is not given to roles; allowed: {', '.join(_GIVEN)}")
            for type in role.handles
            if type not in _GIVEN
        ]
    return found


_GIVEN = (TaskType.OPINION.value, TaskType.ANALYSIS.value)
"""Types of tasks that a role can be given."""


def allowed_names() -> dict[str, Sequence[str]]:
    """Path of a setting -> what is allowed there, for the schema of editors."""
    return {check.path: check.allowed() for check in NAME_CHECKS if not check.grows}
