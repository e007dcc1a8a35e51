"""Imports of the standard library that a model forgot: a free repair, made only where the meaning is certain."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from file_system.code.syntax import NOT_PYTHON
from file_system.edits.definitions.import_names import Imported
from file_system.edits.definitions.imports import with_imports
from file_system.edits.definitions.names import BUILTINS, bound_names, module_names, used_names

_LOOKED_INTO = """
    abc base64 bisect calendar collections contextlib copy csv dataclasses datetime decimal enum fractions functools
    hashlib heapq html inspect io itertools json logging math operator os random re statistics string struct sys
    textwrap time types typing unicodedata uuid
"""
_MODULES = frozenset(_LOOKED_INTO.split())
"""Recognised when something is looked up in them, as in `re.sub`."""

_MEMBERS = {
    "collections": "Counter OrderedDict defaultdict deque namedtuple",
    "collections.abc": "Awaitable Collection Hashable Iterable Iterator Mapping MutableMapping Sequence",
    "dataclasses": "asdict dataclass",
    "datetime": "date datetime timedelta timezone",
    "decimal": "Decimal ROUND_HALF_UP",
    "enum": "Enum IntEnum StrEnum",
    "fractions": "Fraction",
    "functools": "cached_property lru_cache partial reduce wraps",
    "itertools": "accumulate chain combinations groupby islice permutations zip_longest",
    "math": "ceil floor gcd isclose sqrt",
    "pathlib": "Path PurePath",
    "typing": "Any Callable ClassVar Dict Final FrozenSet Generator Generic List Literal NamedTuple NoReturn Optional"
    " Protocol Set Tuple Type TypeVar TypedDict Union cast overload",
}
_HOME = {name: module for module, names in _MEMBERS.items() for name in names.split()}


def missing_imports(nodes: Sequence[ast.AST], known: Iterable[str]) -> list[Imported]:
    """Imports for well-known names that `nodes` use and neither they nor `known` bind, in the order of names."""
    unbound = used_names(nodes) - bound_names(nodes) - set(known) - BUILTINS
    looked_into = _attributes(nodes)
    found = []
    for name in sorted(unbound):
        attributes = looked_into.get(name, set())
        if name in _HOME and not _module_meant(name, attributes):
            found.append(Imported(0, _HOME[name], name, None))
        elif name in _MODULES and attributes:
            found.append(Imported(0, name, None, None))
    return found


def with_missing_imports(code: str, present: str) -> str:
    """`code` with the well-known imports that it uses and that neither it nor the module `present` has.

    What does not parse comes back as it is.
    """
    try:
        tree, module = ast.parse(code), ast.parse(present)
    except NOT_PYTHON:
        return code
    return with_imports(code, missing_imports(tree.body, module_names(module)))


def _module_meant(name: str, attributes: set[str]) -> bool:
    """Whether `datetime` stands for the module: `datetime.timedelta` does, `datetime.now` does not."""
    return name == "datetime" and bool(attributes & {"datetime", "date", "timedelta", "timezone", "time", "UTC"})


def _attributes(nodes: Iterable[ast.AST]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for node in nodes:
        for item in ast.walk(node):
            match item:
                case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                    found.setdefault(name, set()).add(attribute)
                case _:
                    pass
    return found
