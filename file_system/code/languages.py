"""The queries of each language's syntax tree: definitions worth showing, and text that is no code.

Each grammar is a wheel of its own that includes its parser. (tree-sitter-language-pack has them all, but downloads the
parsers when they are first used, which a daemon that reads untrusted code should not do.)
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import PurePosixPath

import tree_sitter_go
import tree_sitter_javascript
import tree_sitter_python
import tree_sitter_rust
import tree_sitter_typescript
from tree_sitter import Language, Parser, Query

_PYTHON = """
(function_definition) @function
(class_definition) @class
(module (expression_statement (assignment left: (identifier)) @constant))
(comment) @comment
(string_content) @text
"""
_JAVASCRIPT = """
(function_declaration) @function
(generator_function_declaration) @function
(method_definition) @function
(class_declaration) @class
(program (lexical_declaration (variable_declarator name: (identifier)) @constant))
(program (export_statement (lexical_declaration (variable_declarator name: (identifier)) @constant)))
(program (expression_statement (assignment_expression
  left: (member_expression) right: [(function_expression) (arrow_function)]) @function))
(comment) @comment
[(string_fragment) (regex)] @text
"""
_TYPESCRIPT = f"""{_JAVASCRIPT}
(function_signature) @function
(abstract_method_signature) @function
(abstract_class_declaration) @class
(interface_declaration) @class
(enum_declaration) @class
(internal_module) @class
(type_alias_declaration) @constant
(interface_body (method_signature) @function)
"""
_GO = """
(function_declaration) @function
(method_declaration) @function
(type_spec) @class
(type_alias) @constant
(source_file (const_declaration (const_spec) @constant))
(source_file (var_declaration (var_spec) @constant))
(comment) @comment
[(interpreted_string_literal) (raw_string_literal) (rune_literal)] @text
"""
_RUST = """
(function_item) @function
(function_signature_item) @function
(macro_definition) @function
(struct_item) @class
(enum_item) @class
(union_item) @class
(trait_item) @class
(mod_item) @class
(impl_item) @group
(type_item) @constant
(const_item) @constant
(static_item) @constant
[(line_comment) (block_comment)] @comment
[(string_literal) (raw_string_literal) (char_literal)] @text
"""
_SOURCES = {
    "python": (tree_sitter_python.language, _PYTHON),
    "javascript": (tree_sitter_javascript.language, _JAVASCRIPT),
    "typescript": (tree_sitter_typescript.language_typescript, _TYPESCRIPT),
    "tsx": (tree_sitter_typescript.language_tsx, _TYPESCRIPT),
    "go": (tree_sitter_go.language, _GO),
    "rust": (tree_sitter_rust.language, _RUST),
}
_SUFFIXES = {
    ".py": "python", ".pyi": "python",
    ".js": "javascript", ".jsx": "javascript", ".mjs": "javascript", ".cjs": "javascript",
    ".ts": "typescript", ".mts": "typescript", ".cts": "typescript", ".tsx": "tsx",
    ".go": "go", ".rs": "rust",
}  # fmt: skip
_GRAMMARS = ("tree-sitter", *(f"tree-sitter-{name}" for name in _SOURCES if name != "tsx"))


@dataclass(frozen=True)
class Grammar:
    """A language's parser and the query for its trees."""

    parser: Parser
    query: Query


def language_of(path: str) -> str | None:
    """The language a file is written in by its name, None when the map does not know it."""
    return _SUFFIXES.get(PurePosixPath(path).suffix.casefold())


def grammar_of(language: str) -> Grammar:
    """A parser and the query for it. A parser is for one thread at a time, so each call makes a new one."""
    grammar, query = _compiled(language)
    return Grammar(Parser(grammar), query)


@cache
def grammars_version() -> int:
    """Changes with the grammars and the queries, so that tags cached by an older program are not used."""
    versions = [f"{name} {version(name)}" for name in _GRAMMARS] + [query for _, query in _SOURCES.values()]
    return zlib.crc32("\n".join(versions).encode()) & 0x7FFFFFFF


@cache
def _compiled(language: str) -> tuple[Language, Query]:
    pointer, query = _SOURCES[language]
    grammar = Language(pointer())
    return grammar, Query(grammar, query)
