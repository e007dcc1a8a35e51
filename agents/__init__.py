"""Who is on the team, what each is asked and what each answers. Agents think; they touch neither files nor git.

The names of the team are known without importing what its members are made of, which takes half a second.
"""

from typing import TYPE_CHECKING

from agents.names import PLACES, agent_names

__all__ = ["PLACES", "agent_names"]

if TYPE_CHECKING:
    from agents.public import *  # noqa: F403 - `public` says what there is
else:  # a type checker would take any name for one that there is

    def __getattr__(name: str) -> object:
        from importlib import import_module

        exported = import_module("agents.public")
        if name not in exported.__all__:
            raise AttributeError(f"module 'agents' has no attribute {name!r}")
        return getattr(exported, name)
