"""Where in the file a problem is that pydantic found, which also names the forms that a setting may have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic_core import ErrorDetails

_KEY = "[key]"
"""How pydantic says that the key itself is wrong."""


@dataclass(frozen=True)
class Location:
    """A place in the file."""

    path: tuple[str, ...]
    section: type[BaseModel]
    """The innermost section around it."""
    alternatives: tuple[tuple[tuple[str, ...], str], ...] = ()
    """Where one of several forms was tried, and which."""


def located(root: type[BaseModel], parts: Sequence[str | int]) -> Location:
    """The place of a problem in a file of the form `root`, from pydantic's `loc`."""
    form: Any = root
    path: list[str] = []
    section, alternatives = root, list[tuple[tuple[str, ...], str]]()
    for part in map(str, parts):
        form, forms = _plain(form), _forms(form)
        if len(forms) > 1:
            alternatives.append((tuple(path), part))
            form = _plain(next((each for each in forms if _is_named(each, part)), None))
        elif part != _KEY:
            path.append(part)
            form = _inside(form, part)
        if isinstance(form, type) and issubclass(form, BaseModel):
            section = form
    return Location(tuple(path), section, tuple(alternatives))


def without_alternatives(root: type[BaseModel], found: Iterable[ErrorDetails]) -> list[ErrorDetails]:
    """The problems, where a setting can have several forms only those of the form that was meant."""
    kept: dict[object, list[ErrorDetails]] = {}
    for detail in found:
        place = located(root, detail["loc"])
        group = next((at for at, name in place.alternatives if not _is_tag(name)), None)
        kept.setdefault(id(detail) if group is None else group, []).append(detail)
    return [detail for group in kept.values() for detail in _meant(root, group)]


def _meant(root: type[BaseModel], group: list[ErrorDetails]) -> list[ErrorDetails]:
    if len(group) == 1:
        return group
    deepest = max(len(located(root, detail["loc"]).path) for detail in group)
    deep = [detail for detail in group if len(located(root, detail["loc"]).path) == deepest]
    fitting = [detail for detail in deep if str(detail["loc"][-1]).startswith(f"{type(detail['input']).__name__}[")]
    words = [detail for detail in deep if not detail["type"].endswith("_type")]
    meant = _last_form(root, (fitting or words or deep)[0])
    return [detail for detail in group if _last_form(root, detail) == meant]


def _last_form(root: type[BaseModel], detail: ErrorDetails) -> str:
    return located(root, detail["loc"]).alternatives[-1][1]


def _plain(form: Any) -> Any:
    """A form without what is noted about it."""
    while get_origin(form) is Annotated:
        form = get_args(form)[0]
    return form


def _forms(form: Any) -> list[Any]:
    form = _plain(form)
    if get_origin(form) not in (Union, UnionType):
        return []
    return [each for each in get_args(form) if each is not type(None)]


def _is_named(form: Any, name: str) -> bool:
    """Whether pydantic calls the form `name`."""
    if get_origin(form) is Annotated and any(isinstance(note, Tag) and note.tag == name for note in get_args(form)):
        return True
    plain = _plain(form)
    kind = get_origin(plain) or plain
    if kind is Literal:
        return name.startswith("literal[")
    known = getattr(kind, "__name__", "")
    return name == known or name.startswith((f"{known}[", f"{known.lower()}["))


def _is_tag(name: str) -> bool:
    """Whether a form was chosen by what the file says, so that no other was tried."""
    return name.isidentifier() and name.islower() and name not in ("str", "int", "float", "bool")


def _inside(form: Any, part: str) -> Any:
    form = _plain(form)
    if optional := _forms(form):
        form = _plain(optional[0])
    if isinstance(form, type) and issubclass(form, BaseModel):
        field = form.model_fields.get(part)
        return field.annotation if field else None
    arguments = get_args(form)
    if get_origin(form) in (list, tuple, set, frozenset):
        return arguments[0] if arguments else None
    return arguments[1] if len(arguments) == 2 else None
