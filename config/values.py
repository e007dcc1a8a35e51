"""What values of settings are made of: a section, and texts that have to be of a certain kind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr, ValidationInfo, field_validator


class Section(BaseModel):
    """A section of `config.yaml`: unknown keys are errors, values do not change after the start."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        coerce_numbers_to_str=True,
        allow_inf_nan=False,
        defer_build=True,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: object, about: ValidationInfo) -> object:
        """Python takes true for 1: a limit of `true` would be a dollar."""
        if isinstance(value, bool) and about.field_name:
            kinds = _parts(cls.model_fields[about.field_name].annotation)
            if kinds & {int, float} and bool not in kinds:
                raise ValueError("must be a number; true and false are none")
        return value


def _parts(annotation: object) -> set[object]:
    """The types of which an annotation is made."""
    inner = get_args(annotation)
    return set().union(*map(_parts, inner)) if inner else {annotation}


HomePath = Annotated[Path, AfterValidator(Path.expanduser)]
"""A path in which ~ is the home of whoever runs the daemon."""


def _at_home(text: str) -> str:
    return str(Path(text).expanduser()) if text.startswith("~") else text


RepositoryAddress = Annotated[str, AfterValidator(_at_home)]
"""A URL, or a path in which ~ is the home of whoever runs the daemon."""


def _unquoted_off(value: object) -> object:
    """YAML takes an unquoted `off` for false."""
    return "off" if value is False else value


ReasoningLevel: TypeAlias = Literal["off", "minimal", "low", "medium", "high"]
ReasoningSetting = Annotated[
    Literal[ReasoningLevel, "auto"],
    BeforeValidator(_unquoted_off, json_schema_input_type=Literal[ReasoningLevel, "auto", False]),
]


def plain_key(text: str) -> str:
    """A key without the white space that files and copies bring along. Raises ValueError for what is no key."""
    text = text.strip().strip("\ufeff\u200b")
    if odd := next((character for character in text if not "!" <= character <= "~"), ""):
        place = text.index(odd) + 1
        raise ValueError(f"holds U+{ord(odd):04X} at place {place}, which no key does; copy it again, without quotes")
    return text


Key = Annotated[SecretStr, AfterValidator(lambda key: SecretStr(plain_key(key.get_secret_value())))]


def _is_address(text: str) -> str:
    """The address of a server's API: without the path of a single call, which its client adds."""
    address = re.sub(r"/+(?:chat/completions|completions|responses|messages|models)?/*$", "", text.strip())
    parts = urlsplit(address)
    try:
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or re.search(r"[\s\x00-\x1f]", address):
        raise ValueError("is no address of a server; write one such as http://localhost:11434/v1")
    return address


Address = Annotated[str, AfterValidator(_is_address)]


def _is_branch(name: str) -> str:
    """`name`, if git takes it for a branch (git-check-ref-format)."""
    parts = name.split("/")
    refused = re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{", name) or name.startswith("-") or name.endswith(".")
    if refused or name == "@" or any(not part or part.startswith(".") or part.endswith(".lock") for part in parts):
        raise ValueError("git takes no such name for a branch; give one such as agents/integration")
    return name


BranchName = Annotated[str, AfterValidator(_is_branch)]


def _is_host(text: str) -> str:
    if not re.fullmatch(r"(?!-)[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?", text):
        raise ValueError(f"{text!r} is no host; write HOST or HOST:PORT, without https:// and without a path")
    return text


HostName = Annotated[str, AfterValidator(_is_host)]


def _listed(value: object) -> object:
    """A single address becomes a list of one; an empty `${VAR:-}` becomes an empty list."""
    given = value if isinstance(value, list) else [value]
    return [address for address in given if address]


SecretAddresses = Annotated[list[SecretStr], BeforeValidator(_listed)]
