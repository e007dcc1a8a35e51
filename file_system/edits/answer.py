"""The edits of a model's answer: whole files, search/replace blocks, or the code for one known file."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from file_system.code.names import Definition
from file_system.edits.answer_text import Fence, elided_line, fences_of, repaired, without_prose
from file_system.edits.search_replace import Block, apply_blocks, blocks_of, has_blocks
from file_system.errors import AmbiguousAnswer, ElidedCode, NoCode, TruncatedAnswer
from file_system.file_manager import FileManager
from file_system.syntax import check_syntax, parse_javascript, parse_python, parses, split_lines


@dataclass(frozen=True)
class WholeFile:
    """The full content of a file, new or replaced."""

    path: str
    content: str


Edit = WholeFile | Block


def parse_answer(answer: str, *, target: str | None = None) -> list[Edit]:
    """The edits of an answer: search/replace blocks if it has any, else one whole file per fence.

    A fence says its path in its info string, on the line above, or in a comment on its first line; one fence without a
    path is `target`. Prose is ignored; Python is repaired where that is free (see `repaired`).
    Raises NoCode, TruncatedAnswer, AmbiguousAnswer or BlockMalformed: messages for the model.
    """
    if has_blocks(answer):
        return list(blocks_of(answer, target))
    fences = fences_of(answer)
    _refuse_truncated(fences, target)
    named = [fence for fence in fences if fence.path is not None]
    unnamed = [fence for fence in fences if fence.path is None and fence.code]
    if target is not None and not any(_means(fence, target) for fence in named):
        fence = _chosen(unnamed, target)
        if fence is not None:
            named.append(Fence(fence.language, target, fence.body, fence.closed))
    contents = {_full_path(fence, target): fence for fence in named}  # of two versions the last counts
    if contents:
        return [WholeFile(path, _content(path, fence.body)) for path, fence in contents.items()]
    if target is not None and not fences and _is_code(target, answer):
        return [WholeFile(target, repaired(answer))]
    raise NoCode(target or "any file (each block needs its path on the line above)")


def code_for(answer: str, target: str) -> str:
    """The Python code of an answer that is meant for `target`, to be merged by `merge_definitions`.

    Fences that name `target` count, else those without a path, else all; of these only Python that defines something,
    joined in order. Raises NoCode, TruncatedAnswer, or SyntaxProblem when no repair makes the code parse.
    """
    fences = [fence for fence in fences_of(answer) if fence.code]
    _refuse_truncated(fences, target)
    meant = (
        [fence for fence in fences if _means(fence, target)]
        or [fence for fence in fences if fence.path is None]
        or fences
    )
    codes = [repaired(fence.body) for fence in meant if fence.body.strip()]
    if not codes:
        prose = without_prose(answer) if not fences else ""
        if (prose and prose != answer) or _is_code(target, answer):
            return repaired(prose or answer)
        raise NoCode(target)
    parsing = [code for code in codes if parses(target, code)]
    if not parsing:
        parse_python(target, max(codes, key=len))  # raises, with the place of the error
    defining = [code for code in parsing if _defines(code)]
    return "\n\n\n".join(code.strip("\r\n") for code in defining or parsing[:1]) + "\n"


def javascript_for(answer: str, target: str) -> str:
    """As `code_for`, for a JavaScript or TypeScript file: its code, to be merged by `merge_javascript`.

    Raises NoCode, TruncatedAnswer, or SyntaxProblem when none of the code parses.
    """
    fences = [fence for fence in fences_of(answer) if fence.code]
    _refuse_truncated(fences, target)
    meant = [fence for fence in fences if _means(fence, target)] or [fence for fence in fences if fence.path is None]
    codes = [fence.body for fence in meant or fences if fence.body.strip()]
    if not codes:
        raise NoCode(target)
    parsing = [code for code in codes if parses(target, code)]
    if not parsing:
        parse_javascript(target, max(codes, key=len))  # raises, with the place of the error
    return "\n".join(parsing)


def apply_edits(files: FileManager, edits: Sequence[Edit]) -> list[str]:
    """Make all edits, or none when one of them is wrong or cannot be written; gives the paths that changed, in order.

    Raises BlockMismatch, ElidedCode, SyntaxProblem, PathRefused and the other errors of FileManager.
    """
    contents: dict[str, str] = {}
    for edit in edits:
        before = contents.get(edit.path)
        if before is None:
            before = files.read_file(edit.path) if files.exists(edit.path) else ""
        if isinstance(edit, Block):
            contents[edit.path] = apply_blocks(before, [edit])
            continue
        placeholder = elided_line(split_lines(edit.content), split_lines(before))
        if placeholder is not None:
            raise ElidedCode(edit.path, placeholder)
        contents[edit.path] = edit.content
    for path, content in contents.items():
        if not files.exists(path) or parses(path, files.read_file(path)):
            check_syntax(path, content)
        files.check_writable(path)
    with files.transaction():
        return [path for path, content in contents.items() if files.write_file(path, content)]


def _refuse_truncated(fences: Sequence[Fence], target: str | None) -> None:
    for fence in fences:
        if not fence.closed:
            raise TruncatedAnswer(f"the code block of {fence.path or target or 'the answer'}")


def _means(fence: Fence, target: str) -> bool:
    """Whether the path of a fence is `target`, be it shortened: `cart.py` for `src/shop/cart.py`."""
    return fence.path is not None and (target == fence.path or target.endswith(f"/{fence.path}"))


def _full_path(fence: Fence, target: str | None) -> str:
    if target is not None and _means(fence, target):
        return target
    return fence.path or ""


def _chosen(fences: Sequence[Fence], target: str) -> Fence | None:
    """The fence without a path that is `target`: the only one, else the only Python one that defines something."""
    if len(fences) > 1 and target.endswith(".py"):
        defining = [fence for fence in fences if _defines(repaired(fence.body))]
        fences = defining or fences
    if len(fences) > 1:
        raise AmbiguousAnswer(len(fences), target)
    return fences[0] if fences else None


def _content(path: str, body: str) -> str:
    text = repaired(body) if PurePosixPath(path).suffix == ".py" else body
    return text if not text or text.endswith("\n") else text + "\n"


def _is_code(target: str, answer: str) -> bool:
    return target.endswith(".py") and _defines(repaired(answer))


def _defines(code: str) -> bool:
    """Whether the code parses and holds a function, a class or a constant at its top level."""
    if not parses("answer.py", code):
        return False
    kinds = Definition | ast.Assign | ast.AnnAssign
    return any(isinstance(node, kinds) for node in ast.parse(code.removeprefix("\ufeff")).body)
