"""What the owner tells agents: it stands in each later prompt of the agent, as the owner's word and not as data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pydantic import BaseModel, Field

from agents.prompts import render
from llm import CallContext
from memory import MemoryStore, utc_now

_MOST_CHARACTERS = 6_000
"""Of all words together, the latest first."""
_KEPT_DAYS = 90


class MessageReply(BaseModel):
    """An agent's answer to the owner."""

    answer: str = Field(min_length=1, max_length=4000)
    holds: bool = Field(description="Whether the owner's words are to be kept in mind in later work.")


@dataclass(frozen=True)
class Said:
    """What an agent knows when it answers the owner."""

    before: str
    """What was said between the two."""
    situation: str
    about: str = ""
    """The task that it is about, if it is about one."""


class OwnersWords:
    """Gives what stands at the end of an agent's system prompt; empty where the owner told it nothing."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def __call__(self, context: CallContext) -> str:
        since, room = utc_now() - timedelta(days=_KEPT_DAYS), _MOST_CHARACTERS
        told: list[tuple[str, str]] = []
        for word in reversed(self._store.words.of(context.agent)):
            if context.task_id == word.id or word.task not in ("", context.task_id) or word.at < since:
                continue  # the one that is being answered stands in the prompt itself
            room -= len(word.text)
            if room < 0:
                break
            told.append((f"{word.at:%Y-%m-%d %H:%M} UTC", word.text))
        return render("owners_words", told=told[::-1]) if told else ""
