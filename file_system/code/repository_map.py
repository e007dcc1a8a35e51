"""The ranked map of a repository: the tags of all files, rendered within a token budget, what matters most first."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Self

from file_system import atomic
from file_system.code.languages import Grammar, grammar_of, language_of
from file_system.code.ranking import Ranking, ranked, references
from file_system.code.tags import Definition, TagCache, Tags, tags_of
from file_system.errors import FileSystemError
from file_system.paths import checked_parts, opened_parent
from file_system.walk import walk

_LARGEST_FILE = 512 * 1024
"""Larger ones are generated."""
_MOST_FILES = 5000
_CHARACTERS_PER_TOKEN = 3.5
"""Of source code, a little below what common tokenizers take, so that the budget holds."""
_TEST = re.compile(
    r"(^|/)(tests?|__tests__|specs?)/|(^|/)(test_[^/]*|conftest\.py)$|[._-](test|spec)\.\w+$|_test\.\w+$"
)
_SHORTEST_LINE = 12
_LIKE_CODE = re.compile(
    r"`([A-Za-z_][\w.]*)(?:\([^`\n]*)?`|\b([A-Za-z_][\w.]*)(?=\()|\b(\w+(?:\.\w+)+)\b|"
    r"\b(\w*[a-z0-9]_\w+)\b|\b([A-Za-z]+[a-z]+[A-Z]\w*)\b"
)
_PLAIN = re.compile(r"\b[a-z]\w{3,}\b")
_ORDINARY = frozenset(
    re.findall(
        r"\w+",
        """also build call change check class code command count create default delete description display does
        empty error example false field file files first format from function group have help index input into item
        items just keep last length line lines list load main make method module name names need none number object
        only open option options order output parse path print raise read remove result return returns same save
        search select should show size sort split start state string suite table test tests text that then there
        this time true type update used value values version when which will with without work write wrong""",
    )
)
"""Words of any task, though something may be called so."""
_BESIDE = re.compile(
    r"(^|/)(docs?|examples?|benchmarks?|testing|scripts)/|(^|/)(conf|setup|noxfile|benchmark)\.py$|\.pyi$"
)
"""Files beside the code itself."""
_MOST_NAMED, _MOST_MEANINGS = 3, 2
_MOST_LINES, _MOST_TEST, _MOST_HEAD = 45, 16, 14
"""Lines of a piece of code, of a test, and of what stands above all tests."""
_TEST_SHARE = 0.05
"""Tests use everything and are used by nothing: they are shown last."""


class RepositoryMap:
    """What the files of a repository define, and who uses it. Python, JavaScript, TypeScript, Go and Rust."""

    def __init__(self, tags: Mapping[str, Tags]) -> None:
        self.tags = dict(tags)

    @classmethod
    def of(cls, root: Path, cache_folder: Path | None = None) -> Self:
        """Read the files below `root`; with a `cache_folder` only those that are not in the cache.

        At most 5000 files of up to 512 KiB are read. Installed packages, caches and git's folders are left out.
        """
        contents = _contents(root.resolve(strict=True))
        digests = {path: _digest(path, source) for path, source in contents.items()}
        cache = TagCache(cache_folder) if cache_folder else None
        known = cache.load(list(dict.fromkeys(digests.values()))) if cache else {}
        grammars: dict[str, Grammar] = {}
        new: dict[str, Tags] = {}
        for path, source in contents.items():
            if digests[path] in known or digests[path] in new:
                continue
            language = str(language_of(path))
            grammar = grammars.setdefault(language, grammar_of(language)) if language not in grammars else None
            new[digests[path]] = tags_of(source, grammar or grammars[language])
        if cache and new:
            cache.keep(new, list(known))
        return cls({path: (known | new)[digest] for path, digest in digests.items()})

    def users_of(self, path: str) -> list[str]:
        """Files that use what `path` defines, those first that do so most."""
        weights: dict[str, float] = defaultdict(float)
        for link in references(self.tags):
            if link.definer == path:
                weights[link.user] += link.weight
        return sorted(weights, key=lambda user: (-weights[user], user))

    def named_in(self, words: str) -> list[str]:
        """Where the code stands that `words` name, as `path:first-last`, then a test of it: that which is written like
        code (quoted, called, with a dot or an underscore) or, where nothing is, whose plain name is a word of them."""
        found = self._definitions(_written_like_code(words)) or self._definitions(_plain_words(words), plain=True)
        places = [_place(path, self.tags[path].definitions, number) for _, path, number in found[:_MOST_NAMED]]
        tests = next((tests for name, _, _ in found[:_MOST_NAMED] if (tests := self._test_of(name))), [])
        known = {path for _, path, _ in found[:_MOST_NAMED]}
        files = [f"{path}:1-{_MOST_LINES}" for path in self._short_files(words) if path not in known]
        return list(dict.fromkeys([*places, *files, *tests]))

    def _short_files(self, words: str) -> list[str]:
        """The files that are named and that can be shown whole."""
        named = set(re.findall(r"[\w./-]*\w\.\w+", words))
        return [
            path
            for path, tags in self.tags.items()
            if any(path == name or path.endswith(f"/{name}") for name in named)
            and not is_test_path(path)
            and (tags.definitions[-1].line if tags.definitions else 0) < _MOST_LINES - _SHORTEST_LINE
        ][:_MOST_NAMED]

    def _definitions(self, names: Collection[str], *, plain: bool = False) -> list[tuple[str, str, int]]:
        """Name, path and number of the definitions with these names (`name` or `Owner.name`) in the code itself. Names
        that may mean several things are left out; of `plain` words those, too, that files are called by."""
        homes: dict[str, list[tuple[str, int]]] = defaultdict(list)
        files: set[str] = set()
        for path in (path for path in self.tags if not (is_test_path(path) or _BESIDE.search(path))):
            files.update(path.rpartition(".")[0].split("/"))
            for number, item in enumerate(self.tags[path].definitions):
                homes[item.name].append((path, number))
        found = []
        for dotted in dict.fromkeys(names):
            owner, _, name = dotted.rpartition(".")
            places = homes.get(name, [])
            if plain:
                places = [] if name in files else [place for place in places if not self._owner(*place)]
            elif owner:
                places = [place for place in places if self._owner(*place) == owner.rpartition(".")[2]] or places
            if len(places) <= _MOST_MEANINGS:
                found += [(name, *place) for place in places]
        return found

    def _owner(self, path: str, number: int) -> str:
        """The name of what a definition stands in; empty at the top of its file."""
        definitions = self.tags[path].definitions
        depth = definitions[number].depth
        return next((item.name for item in reversed(definitions[:number]) if item.depth < depth), "")

    def _test_of(self, name: str) -> list[str]:
        """The head of the file of tests that uses a name most, and the first of its tests that is called after it."""
        files = [path for path, tags in self.tags.items() if is_test_path(path) and tags.uses.get(name)]
        for path in sorted(files, key=lambda path: (-self.tags[path].uses[name], path)):
            tests = self.tags[path].definitions
            for number, item in enumerate(tests):
                if name.casefold().strip("_") in item.name.casefold():
                    head = min(tests[0].line - 1, _MOST_HEAD)
                    return [*([f"{path}:1-{head}"] if head else []), _place(path, tests, number, _MOST_TEST)]
        return []

    def render(self, budget_tokens: int, *, about: str = "", near: Collection[str] = ()) -> str:
        """The map as text of at most `budget_tokens` (3.5 characters each): signatures by file, the best files first.

        `about` is the text of the task, `near` the files it is known to concern. Definitions are chosen by rank and
        shown in the order of their lines; what is left out is counted.
        """
        if not self.tags:
            return ""
        ranking = ranked(self.tags, about, near)
        shares = {path: share * (_TEST_SHARE if is_test_path(path) else 1) for path, share in ranking.files.items()}
        left = int(budget_tokens * _CHARACTERS_PER_TOKEN) - len(_more(len(self.tags)))
        chosen: dict[str, set[int]] = {}
        for path, number in _by_rank(self.tags, ranking):
            if left < _SHORTEST_LINE:
                break
            lines = _with_owners(self.tags[path].definitions, number) - chosen.get(path, set())
            cost = sum(len(_line(self.tags[path].definitions[line])) + 1 for line in lines)
            cost += 0 if path in chosen else len(_heading(path, len(self.tags[path].definitions))) + 1
            if cost <= left:
                chosen.setdefault(path, set()).update(lines)
                left -= cost
        ordered = sorted(chosen, key=lambda path: (-shares[path], path))
        parts = [_of_file(path, self.tags[path].definitions, chosen[path]) for path in ordered]
        hidden = len(self.tags) - len(chosen)
        return "\n".join([*parts, *([_more(hidden)] if hidden and parts else [])])


def is_test_path(path: str) -> bool:
    """Whether a file of any of the languages holds tests, judged by its name and folders."""
    return _TEST.search(path) is not None


def outline_text(path: str, text: str) -> str:
    """What a file of any of the languages defines, a line each with its number; empty if nothing."""
    language = language_of(path)
    if language is None:
        return ""
    found = tags_of(text.encode(), grammar_of(language)).definitions
    return "\n".join(f"{item.line}\t{'    ' * item.depth}{item.signature}" for item in found)


def _written_like_code(words: str) -> list[str]:
    found = [next(filter(None, match.groups())) for match in _LIKE_CODE.finditer(words)]
    return [name for name in found if name not in ("raises", "isinstance")]


def _plain_words(words: str) -> list[str]:
    return [word for word in _PLAIN.findall(words) if word not in _ORDINARY]


def _place(path: str, definitions: tuple[Definition, ...], number: int, most: int = _MOST_LINES) -> str:
    """A definition's lines, up to the next one that is not inside it; of a long one the beginning."""
    item, following = definitions[number], definitions[number + 1 :]
    end = next((other.line - 1 for other in following if other.depth <= item.depth), item.line + most)
    return f"{path}:{item.line}-{max(item.line, min(end, item.line + most))}"


def _contents(root: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in walk(root):
        if language_of(path) is None:
            continue
        if len(found) == _MOST_FILES:
            break
        try:
            parts = checked_parts(path)
            with opened_parent(root, parts) as parent:
                found[path] = atomic.read_bytes(parent, parts[-1], path, _LARGEST_FILE)
        except (FileSystemError, OSError):
            continue  # too large, not readable, or gone meanwhile
    return found


def _digest(path: str, source: bytes) -> str:
    return hashlib.sha256(f"{language_of(path)}\0".encode() + source).hexdigest()


def _by_rank(tags: Mapping[str, Tags], ranking: Ranking) -> list[tuple[str, int]]:
    """All named definitions (path, position in the file), the best first; those of tests after the others."""
    found = []
    for path, of_file in tags.items():
        share = _TEST_SHARE if is_test_path(path) else 1
        seen: set[tuple[int, str]] = set()
        for number, definition in enumerate(of_file.definitions):
            if definition.depth == 0:
                owner = number
            # An overload or a property's setter says no more than the first of its name.
            if definition.name and (owner, definition.name) not in seen:
                seen.add((owner, definition.name))
                found.append((-share * ranking.definitions[path, definition.name], path, number))
    return [(path, number) for _, path, number in sorted(found)]


def _with_owners(definitions: tuple[Definition, ...], number: int) -> set[int]:
    """The definition and those around it: a method is shown below its class."""
    chosen = {number}
    depth = definitions[number].depth
    for position in range(number - 1, -1, -1):
        if definitions[position].depth < depth:
            chosen.add(position)
            depth = definitions[position].depth
        if depth == 0:
            break
    return chosen


def _of_file(path: str, definitions: tuple[Definition, ...], chosen: set[int]) -> str:
    lines = [_line(definitions[number]) for number in sorted(chosen)]
    return "\n".join([_heading(path, len(definitions) - len(chosen)), *lines])


def _heading(path: str, hidden: int) -> str:
    return f"{path}  (+{hidden})" if hidden else path


def _line(definition: Definition) -> str:
    return f"{'  ' * (definition.depth + 1)}{definition.signature}"


def _more(count: int) -> str:
    return f"… and {count} more files"
