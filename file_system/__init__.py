"""Reading, writing and editing files inside a workspace, and the map of a code base."""

from file_system.code.code_map import CodeMap
from file_system.code.comments import TodoComment, same_but_documentation, same_code, todos_in
from file_system.code.conventions import conventions_of
from file_system.code.javascript import Exported, Expression, call_arguments, exports_of, javascript_expression
from file_system.code.names import Definition, Function, assigned_names, first_line_of
from file_system.code.outline import ClassOutline, CodeOutline, FunctionOutline
from file_system.code.repository_map import RepositoryMap, is_test_path, outline_text
from file_system.edits.answer import Edit, WholeFile, apply_edits, code_for, javascript_for, parse_answer
from file_system.edits.merge_javascript import merge_javascript
from file_system.edits.merge_python import Merge, merge_definitions
from file_system.edits.search_replace import Block, Replaced, apply_blocks, apply_edit
from file_system.errors import (
    AmbiguousAnswer,
    AnswerError,
    BlockMalformed,
    BlockMismatch,
    ElidedCode,
    FileExists,
    FileMissing,
    FileSystemError,
    FileTooLarge,
    MergeRefused,
    NoCode,
    NotText,
    PathRefused,
    ProtectedPath,
    SearchRefused,
    SyntaxProblem,
    TruncatedAnswer,
    WorkspaceFull,
)
from file_system.file_manager import FileManager, Match, readable_text, search, text_of
from file_system.paths import matching_pattern
from file_system.syntax import NOT_PYTHON, check_syntax, is_javascript, parse_javascript
from file_system.walk import is_test_file

__all__ = [
    "NOT_PYTHON",
    "AmbiguousAnswer",
    "AnswerError",
    "Block",
    "BlockMalformed",
    "BlockMismatch",
    "ClassOutline",
    "CodeMap",
    "CodeOutline",
    "Definition",
    "Edit",
    "ElidedCode",
    "Exported",
    "Expression",
    "FileExists",
    "FileManager",
    "FileMissing",
    "FileSystemError",
    "FileTooLarge",
    "Function",
    "FunctionOutline",
    "Match",
    "Merge",
    "MergeRefused",
    "NoCode",
    "NotText",
    "PathRefused",
    "ProtectedPath",
    "Replaced",
    "RepositoryMap",
    "SearchRefused",
    "SyntaxProblem",
    "TodoComment",
    "TruncatedAnswer",
    "WholeFile",
    "WorkspaceFull",
    "apply_blocks",
    "apply_edit",
    "apply_edits",
    "assigned_names",
    "call_arguments",
    "check_syntax",
    "code_for",
    "conventions_of",
    "exports_of",
    "first_line_of",
    "is_javascript",
    "is_test_file",
    "is_test_path",
    "javascript_expression",
    "javascript_for",
    "matching_pattern",
    "merge_definitions",
    "merge_javascript",
    "outline_text",
    "parse_answer",
    "parse_javascript",
    "readable_text",
    "same_but_documentation",
    "same_code",
    "search",
    "text_of",
    "todos_in",
]
