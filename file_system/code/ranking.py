"""Which files and definitions matter most: PageRank over who uses whose names, personalised by the words of a task."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from file_system.code.tags import Tags

_DAMPING = 0.85
"""As in Page, Brin, Motwani, Winograd: The PageRank Citation Ranking (1999)."""
_CLOSE_ENOUGH = 1e-4
_MOST_ROUNDS = 60
_MOST_DEFINERS = 12
"""A name that more files than this define (`run`, `close`) says little about which one is meant."""
_MENTIONED_NAME = 10.0
"""How much more a name counts that the task mentions."""
_PRIVATE_NAME, _PLAIN_WORD = 0.1, 0.3
"""How much less a private name counts, and a word like `key` that anything may be called."""
_NAMED_FILE, _DEFINES_NAME, _USES_NAME, _HAS_WORD = 10.0, 5.0, 2.0, 2.0
"""How much more often than in all other files together the walk restarts in a file that the task names, and, shared
among them, in those that define or use a name of the task, or have a word of it in their path."""
_OWN_SHARE = 0.2
"""The share of a file's rank that its definitions get together, whether or not they are used."""
_WORD = re.compile(r"[^\W\d_]{3,}")
_IDENTIFIER = re.compile(r"[^\W\d]\w{2,}")
_COMMON = frozenset(
    re.findall(
        r"\w+",
        """the and for with that this from into not but has have will when then than all any add make get set use new
        old return returns should must test tests file files function class method module code def none true false""",
    )
)


class Reference(NamedTuple):
    """A file that uses a name another one defines."""

    user: str
    definer: str
    name: str
    weight: float


@dataclass(frozen=True)
class Ranking:
    """The result of the walk."""

    files: dict[str, float]
    """Path -> share of the walk, all together 1."""
    definitions: dict[tuple[str, str], float]
    """Path and name -> how much of the walk passes through that definition."""


def references(tags: Mapping[str, Tags], mentioned: Collection[str] = ()) -> list[Reference]:
    """Who uses whose names. Names that are rare, defined in few files, or `mentioned` weigh more."""
    definers = _definers(tags)
    users = Counter(name for of_file in tags.values() for name in of_file.uses if name in definers)
    worth = {
        name: math.log(1 + len(tags) / users[name])
        / len(owners)
        * (_MENTIONED_NAME if name in mentioned else _telling(name))
        for name, owners in definers.items()
        if name in users and len(owners) <= _MOST_DEFINERS
    }
    return [
        Reference(path, owner, name, math.sqrt(count) * worth[name])
        for path, of_file in tags.items()
        for name, count in of_file.uses.items()
        if name in worth and path not in definers[name]  # a name of its own is not looked for elsewhere
        for owner in definers[name]
    ]


def ranked(tags: Mapping[str, Tags], about: str = "", near: Collection[str] = ()) -> Ranking:
    """Rank files and definitions for a task that says `about` and is known to concern the files `near`."""
    mentioned = set(_IDENTIFIER.findall(about)) - _COMMON
    links = references(tags, mentioned)
    edges: dict[tuple[str, str], float] = defaultdict(float)
    given: dict[str, float] = defaultdict(float)
    for user, definer, _, weight in links:
        edges[user, definer] += weight
        given[user] += weight
    files = pagerank(edges, _restarts(tags, about, mentioned, near))
    definitions: dict[tuple[str, str], float] = {}
    for path, of_file in tags.items():
        names = {definition.name for definition in of_file.definitions if definition.name}
        share = files[path] * _OWN_SHARE / (len(names) + 1)
        definitions.update({(path, name): share * (_MENTIONED_NAME if name in mentioned else 1) for name in names})
    for user, definer, name, weight in links:
        definitions[definer, name] += files[user] * weight / given[user]
    return Ranking(files, definitions)


def pagerank(edges: Mapping[tuple[str, str], float], start: Mapping[str, float]) -> dict[str, float]:
    """The share of a walk along `edges` (from, to -> weight) in each node; it restarts by `start` (node -> weight).

    Power iteration; networkx would bring scipy and numpy along for these few lines.
    """
    total = sum(start.values())
    begin = {node: weight / total for node, weight in start.items()}
    out: dict[str, float] = defaultdict(float)
    for (source, _), weight in edges.items():
        out[source] += weight
    steps = [(source, target, weight / out[source]) for (source, target), weight in edges.items()]
    rank = begin
    for _ in range(_MOST_ROUNDS):
        lost = sum(share for node, share in rank.items() if node not in out)
        following = {node: (1 - _DAMPING + _DAMPING * lost) * weight for node, weight in begin.items()}
        for source, target, share in steps:
            following[target] += _DAMPING * rank[source] * share
        moved = sum(abs(following[node] - share) for node, share in rank.items())
        rank = following
        if moved < _CLOSE_ENOUGH:
            break
    return rank


def _definers(tags: Mapping[str, Tags]) -> dict[str, list[str]]:
    """Name -> the files that define it."""
    found: dict[str, list[str]] = defaultdict(list)
    for path, of_file in tags.items():
        for name in {definition.name for definition in of_file.definitions if definition.name}:
            found[name].append(path)
    return found


def _telling(name: str) -> float:
    if name.startswith("_"):
        return _PRIVATE_NAME
    return _PLAIN_WORD if name.isalpha() and name.islower() else 1.0


def _restarts(
    tags: Mapping[str, Tags], about: str, mentioned: Collection[str], near: Collection[str]
) -> dict[str, float]:
    """Where the walk restarts: the weight of each word of the task is shared among the files that it may mean."""
    start = {path: 1 / len(tags) for path in tags}
    named_files = {*re.findall(r"[\w./-]+", about), *near}
    for path in tags:
        if path in named_files or PurePosixPath(path).name in named_files:
            start[path] += _NAMED_FILE
    definers = _definers(tags)
    for name in mentioned:
        _share(start, _DEFINES_NAME * _telling(name), dict.fromkeys(definers.get(name, ()), 1.0))
        using = {path: math.sqrt(of_file.uses[name]) for path, of_file in tags.items() if name in of_file.uses}
        _share(start, _USES_NAME * _telling(name), using)
    for word in {word.casefold() for word in _WORD.findall(about)} - _COMMON:
        _share(start, _HAS_WORD, {path: 1.0 for path in tags if word in path.casefold()})
    return start


def _share(start: dict[str, float], mass: float, among: Mapping[str, float]) -> None:
    total = sum(among.values())
    for path, weight in among.items():
        start[path] += mass * weight / total
