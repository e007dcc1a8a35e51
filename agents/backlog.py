"""Stated work: the items of backlog files in Markdown, and issues as GitHub's command line exports them.

The export is `gh issue list --json number,title,body,labels,state`. Who can write such a file gives the team work.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from memory import Priority

_ITEM = re.compile(r"(?m)^##[ \t]+(?P<title>[^\n#].*?)[ \t]*$")
_BOX = re.compile(r"^(?P<indent>[ \t]*)[-*+][ \t]+\[(?P<mark>[ xX~-])\][ \t]+(?P<title>\S.*?)[ \t]*$")
_MARKER = re.compile(r"\s*[\[(](?P<word>high|medium|low|done)[\])]\s*$", re.IGNORECASE)
_PRIORITIES = {"high": Priority.HIGH, "medium": Priority.MEDIUM, "low": Priority.LOW}
_URGENT, _UNIMPORTANT = {"high", "urgent", "critical", "p0", "p1"}, {"low", "minor", "p3", "p4"}
_NO_WORK = {"wontfix", "duplicate", "invalid", "question"}
_MOST_ITEMS = 200
_LONGEST_TITLE, _LONGEST_BODY = 200, 20_000


@dataclass(frozen=True)
class Item:
    """One piece of stated work."""

    title: str
    body: str
    priority: Priority = Priority.MEDIUM


def backlog_items(path: str, text: str) -> list[Item]:
    """The open items of the backlog file `path`, in its order, at most 200; `.json` is an export of issues.

    In Markdown an item is a `##` heading with the text under it, or an unticked box of a list (`- [ ]`) that stands
    under no such item; a heading with nothing but boxes under it is their topic. `[done]` items are left out, `[high]`
    and `[low]` set the priority.
    """
    found = _issues(text) if path.lower().endswith(".json") else _markdown(text)
    return list(islice(found, _MOST_ITEMS))


def _markdown(text: str) -> Iterator[Item]:
    headings = list(_ITEM.finditer(text))
    yield from _boxes(text[: headings[0].start()] if headings else text, "")
    ends = [*(heading.start() for heading in headings[1:]), len(text)]
    for heading, end in zip(headings, ends, strict=False):
        body = text[heading.end() : end].strip()
        if _only_boxes(body):
            yield from _boxes(body, heading["title"])
        elif body and (item := _marked(heading["title"], body)):
            yield item


def _only_boxes(body: str) -> bool:
    """Nothing but a list of boxes, each with what is indented under it."""
    lines = [line for line in body.splitlines() if line.strip()]
    return bool(lines) and all(_BOX.match(line) or line[0].isspace() for line in lines) and bool(_BOX.match(lines[0]))


def _boxes(text: str, topic: str) -> Iterator[Item]:
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        box = _BOX.match(lines[number])
        number += 1
        if box is None:
            continue
        under = []
        while number < len(lines) and (not lines[number].strip() or _depth(lines[number]) > len(box["indent"])):
            under.append(lines[number].strip())
            number += 1
        if box["mark"] == " ":
            words = [f"{topic}: {box['title']}" if topic else box["title"], *under]
            item = _marked(box["title"], _MARKER.sub("", words[0]) + "\n" + "\n".join(under))
            if item:
                yield item


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _marked(title: str, body: str) -> Item | None:
    priority = Priority.MEDIUM
    title = title.strip()
    if marker := _MARKER.search(title):
        if marker["word"].lower() == "done":
            return None
        title, priority = title[: marker.start()], _PRIORITIES[marker["word"].lower()]
    return Item(title[:_LONGEST_TITLE], body.strip()[:_LONGEST_BODY], priority) if title else None


class _Label(BaseModel):
    name: str


class _Issue(BaseModel):
    number: int = Field(ge=1)
    title: str = Field(min_length=1)
    body: str | None = ""
    labels: list[_Label] = []
    state: str = "OPEN"


_ISSUES = TypeAdapter(list[_Issue])


def _issues(text: str) -> Iterator[Item]:
    """The open issues, as they stand in the file; none when it is no such export."""
    try:
        issues = _ISSUES.validate_python(json.loads(text))
    except (ValidationError, ValueError, RecursionError):
        return
    for issue in issues:
        words = {word for label in issue.labels for word in re.findall(r"\w+", label.name.lower())}
        if issue.state.lower() != "open" or words & _NO_WORK:
            continue
        priority = Priority.HIGH if words & _URGENT else Priority.LOW if words & _UNIMPORTANT else Priority.MEDIUM
        title = " ".join(issue.title.split())[:_LONGEST_TITLE]
        yield Item(f"{title} (#{issue.number})", (issue.body or title).strip()[:_LONGEST_BODY], priority)
