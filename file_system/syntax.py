"""Whether a text parses as the language of its file name, and how a text is split into lines."""

from __future__ import annotations

import ast
import json
import re
import time
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import PurePosixPath

import yaml
from tree_sitter import Language, Node, Parser, Tree
from tree_sitter_javascript import language as javascript
from tree_sitter_typescript import language_tsx, language_typescript

from file_system.errors import SyntaxProblem

JAVASCRIPT_SUFFIXES = frozenset({".js", ".cjs", ".mjs", ".jsx", ".ts", ".cts", ".mts", ".tsx"})
_MOST_SECONDS = 1.0
"""Of a processor, for one text; honest ones of 200,000 characters take a tenth of it."""
_SHORT = 20_000
_SHOWN_LINE = 160
_DEEPEST_YAML = 200
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_COMMENTED = re.compile(
    r"(?:^|/)(?:(?:ts|js)config[^/]*|tslint|\.eslintrc|\.jshintrc|\.babelrc|babel\.config|\.?devcontainer|pyrightconfig"
    r"|typedoc|api-extractor|deno|turbo|nx|biome|\.swcrc|\.vscode/[^/]+|language-configuration)\.jsonc?$"
)
_STRING = r'("(?:\\.|[^"\\\n])*")'
_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_LAST_COMMA = re.compile(rf"{_STRING}|,(?=\s*[\]}}])")
NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What `ast.parse` raises for a text that it cannot parse, also for very long sums and deep nesting."""


def check_syntax(path: str, text: str) -> None:
    """Raise SyntaxProblem when `text` is not valid Python, JavaScript, TypeScript, JSON, TOML or YAML; other kinds
    of files pass.
    """
    match PurePosixPath(path).suffix.casefold():
        case ".py" | ".pyi":
            _check_python(path, text)
        case ".json":
            json_of(path, text)
        case ".toml":
            _check_toml(path, text)
        case ".yaml" | ".yml":
            _check_yaml(path, text)
        case suffix if suffix in JAVASCRIPT_SUFFIXES:
            parse_javascript(path, text)
        case _:
            pass


def parses(path: str, text: str) -> bool:
    """Whether `check_syntax` accepts `text`."""
    try:
        check_syntax(path, text)
    except SyntaxProblem:
        return False
    return True


def parse_python(path: str, text: str) -> ast.Module:
    """The syntax tree of a Python module; raises SyntaxProblem, also when the parser itself fails."""
    try:
        return ast.parse(text.removeprefix("\ufeff"), filename=path)
    except SyntaxError as error:
        line = error.lineno or 0
        raise SyntaxProblem(path, line, error.msg, _excerpt(text, line)) from None
    except ValueError as error:
        raise SyntaxProblem(path, 0, str(error)) from None
    except (RecursionError, MemoryError):
        raise SyntaxProblem(path, 0, "nested too deeply for the parser") from None


def is_javascript(path: str) -> bool:
    """Whether a file is JavaScript or TypeScript by its name."""
    return PurePosixPath(path).suffix.casefold() in JAVASCRIPT_SUFFIXES


def parse_javascript(path: str, text: str) -> Tree:
    """The syntax tree of a module; raises SyntaxProblem with the first place that does not parse."""
    source, parser = text.encode(), javascript_parser(PurePosixPath(path).suffix.casefold())
    if len(source) > _SHORT and not _is_parsed_in_time(parser, source):
        raise SyntaxProblem(path, 0, f"it cannot be parsed within {_MOST_SECONDS} s")
    tree = parser.parse(source)
    if tree.root_node.has_error:
        wrong = _first_error(tree.root_node)
        line = wrong.start_point.row + 1
        lines = text.splitlines()
        shown = lines[line - 1][:_SHOWN_LINE] if line <= len(lines) else ""
        problem = f"{wrong.type!r} is missing" if wrong.is_missing else "invalid syntax"
        raise SyntaxProblem(path, line, problem, f"> {line:4} {shown}")
    return tree


def _is_parsed_in_time(parser: Parser, source: bytes) -> bool:
    """What is no program may take the parser a time that grows with the square of its length."""
    until = time.thread_time() + _MOST_SECONDS
    try:  # whole texts cannot be stopped, and of pieces a tree has no text
        parser.parse(lambda at, _: source[at : at + _SHORT], progress_callback=lambda *_: time.thread_time() > until)
    except ValueError:
        parser.reset()
        return False
    return True


def split_lines(text: str) -> list[str]:
    """The lines of `text` with their ends, as Python's parser counts them; joined they are `text` again.

    `str.splitlines` also splits at form feeds and Unicode separators; line numbers of `ast` would then point elsewhere.
    """
    return _LINE.findall(text)


def newline_of(text: str) -> str:
    r"""The line end a file uses, judged by its first line; `\n` for an empty one."""
    found = re.search(r"\r\n|\r|\n", text)
    return found[0] if found else "\n"


def with_newline(text: str, newline: str) -> str:
    """`text` with every line end turned into `newline`."""
    return re.sub(r"\r\n|\r|\n", newline, text)


def _check_python(path: str, text: str) -> None:
    """Parse and compile: `return` outside a function and the like are only found by the compiler."""
    tree = parse_python(path, text)
    try:
        compile(tree, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise SyntaxProblem(path, error.lineno or 0, error.msg, _excerpt(text, error.lineno or 0)) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxProblem(path, 0, str(error) or "nested too deeply for the compiler") from None


def json_of(path: str, text: str) -> object:
    """What a file of JSON holds; in settings of the tools that allow them, comments and last commas are no fault.

    Raises SyntaxProblem.
    """
    text = text.removeprefix("\ufeff")
    if _COMMENTED.search(path):
        text = _COMMENT.sub(lambda found: found[1] or re.sub(r"[^\n]+", " ", found[0]), text)
        text = _LAST_COMMA.sub(lambda found: found[1] or " ", text)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SyntaxProblem(path, error.lineno, error.msg, _excerpt(text, error.lineno)) from None
    except ValueError as error:  # a number of too many digits
        raise SyntaxProblem(path, 0, str(error)) from None
    except RecursionError:
        raise SyntaxProblem(path, 0, "nested too deeply for the parser") from None


def _check_toml(path: str, text: str) -> None:
    try:
        tomllib.loads(text)
    except ValueError as error:  # also a number of too many digits
        raise SyntaxProblem(path, 0, str(error)) from None
    except RecursionError:
        raise SyntaxProblem(path, 0, "nested too deeply for the parser") from None


def yaml_events(text: str) -> Iterator[yaml.Event]:
    """What a text of YAML consists of; unknown tags are fine, and aliases are not expanded.

    Raises YAMLError, and RecursionError for deep nesting, with which parsers take time that grows with its square.
    PyYAML's own parser takes a minute for what libyaml's reads in a second.
    """
    depth = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST_YAML:
            raise RecursionError
        yield event


def _check_yaml(path: str, text: str) -> None:
    try:
        for _ in yaml_events(text):
            pass
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise SyntaxProblem(path, line, error.problem or "invalid YAML", _excerpt(text, line)) from None
    except yaml.YAMLError as error:
        raise SyntaxProblem(path, 0, str(error)) from None
    except RecursionError:
        raise SyntaxProblem(path, 0, "nested too deeply for the parser") from None


def _excerpt(text: str, line: int) -> str:
    """The line before, the line itself (marked) and the line after."""
    lines = text.splitlines()
    if not 1 <= line <= len(lines):
        return ""
    first = max(1, line - 1)
    shown = enumerate(lines[first - 1 : line + 1], start=first)
    return "\n".join(f"{'>' if number == line else ' '} {number:4} {source[:160]}" for number, source in shown)


@cache
def _grammar(suffix: str) -> Language:
    if suffix == ".tsx":
        return Language(language_tsx())
    return Language(language_typescript() if suffix in (".ts", ".cts", ".mts") else javascript())


def javascript_parser(suffix: str) -> Parser:
    """A new parser for files with that suffix: parsers must not be shared between threads."""
    return Parser(_grammar(suffix))


def _first_error(node: Node) -> Node:
    for child in node.children:
        if child.is_error or child.is_missing:
            return child
        if child.has_error:
            return _first_error(child)
    return node
