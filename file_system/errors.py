"""What can go wrong with files and edits. Every message says what was tried, what stood in the way, and what to do."""

from __future__ import annotations

from monitoring.alerting import AlertKind
from monitoring.errors import FailureReason, KnownError


class FileSystemError(KnownError):
    """Base of all errors of this folder."""

    reason = FailureReason.INTERNAL_ERROR


class PathRefused(FileSystemError):
    """A path that no agent may use. `rule` names the broken rule, such as `outside`, `git`, `link`, `name`."""

    def __init__(self, path: str, rule: str, why: str, advice: str) -> None:
        self.path = path
        self.rule = rule
        super().__init__(f"path {path[:200]!r} refused: {why}; {advice}")


class ProtectedPath(PathRefused):
    """The path matches one of the owner's protected patterns (`file_system.protected`)."""

    def __init__(self, path: str, pattern: str) -> None:
        self.pattern = pattern
        super().__init__(
            path,
            "protected",
            f"it matches the protected pattern {pattern!r}",
            "leave the file as it is; only the owner changes it",
        )


class FileMissing(FileSystemError):
    """There is no such file."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path}: no such file in the workspace; create it, or use find_files to look up its name")


class FileExists(FileSystemError):
    """`create_file` found a file with other content."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path}: exists already with other content; use write_file to replace it")


class WorkspaceFull(FileSystemError):
    """The disk of the workspace is full."""

    passes = True
    alert = AlertKind.CRITICAL

    def __init__(self, path: str, workspace: str) -> None:
        self.path = path
        super().__init__(f"{path}: not written, the disk of {workspace} is full; free some space, then try again")


class FileTooLarge(FileSystemError):
    """The file is larger than what agents read or write."""

    def __init__(self, path: str, size: int, limit: int) -> None:
        self.path = path
        super().__init__(f"{path}: {size} bytes, the limit is {limit}; split the file or leave it alone")


class NotText(FileSystemError):
    """The file is not UTF-8 text."""

    reason = FailureReason.NEEDS_OWNER
    blocks = True

    def __init__(self, path: str, detail: str) -> None:
        self.path = path
        super().__init__(
            f"{path}: not UTF-8 text ({detail}); agents edit UTF-8 text only: convert it, such as by iconv -t UTF-8"
        )


class SyntaxProblem(FileSystemError):
    """The new content cannot be parsed; the file on disk was not changed. `line` counts from 1, 0 when unknown."""

    def __init__(self, path: str, line: int, problem: str, excerpt: str = "") -> None:
        self.path = path
        self.line = line
        self.problem = problem
        shown = f"\n{excerpt}" if excerpt else ""
        super().__init__(f"{path}:{line}: {problem}{shown}\nnothing was changed; write it again without this error")


class SearchRefused(FileSystemError):
    """The search is not possible."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"not searched: {problem}; look for plain text, or for less")


class AnswerError(FileSystemError):
    """A model's answer has no usable edit. The message is for the model."""


class NoCode(AnswerError):
    """The answer has no code for the requested file."""

    def __init__(self, wanted: str) -> None:
        super().__init__(f"the answer holds no code for {wanted}; answer with one fenced code block that holds it")


class TruncatedAnswer(AnswerError):
    """The answer ends within a code block."""

    def __init__(self, where: str) -> None:
        super().__init__(f"the answer was cut off inside {where}; answer again, shorter, and close the block")


class AmbiguousAnswer(AnswerError):
    """Several code blocks could be meant."""

    def __init__(self, count: int, wanted: str) -> None:
        super().__init__(
            f"the answer holds {count} code blocks without a path and it is not clear which one is {wanted}; "
            "write the path before each block, or answer with one block"
        )


class ElidedCode(AnswerError):
    """The answer leaves out code behind a placeholder such as `# ... existing code ...`."""

    def __init__(self, path: str, line: str) -> None:
        super().__init__(
            f"{path}: the answer leaves code out ({line.strip()[:80]!r}); write all of it, without placeholders"
        )


class BlockMismatch(AnswerError):
    """A search/replace block whose SEARCH part is not in the file, or more than once.

    `block` counts from 1 within the answer, `matches` is how often the text was found.
    """

    def __init__(self, path: str, block: int, matches: int, detail: str) -> None:
        self.path = path
        self.block = block
        self.matches = matches
        self.detail = detail
        found = "was not found" if matches == 0 else f"was found {matches} times"
        super().__init__(f"block {block}, {path}: the SEARCH text {found}. {detail}")


class BlockMalformed(AnswerError):
    """A search/replace block without its markers or its path."""

    def __init__(self, block: int, problem: str) -> None:
        self.block = block
        super().__init__(f"block {block}: {problem}")


class MergeRefused(AnswerError):
    """The definitions of an answer cannot be merged into the module."""

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        super().__init__(f"{path}: {why}")
