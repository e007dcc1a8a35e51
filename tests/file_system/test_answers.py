"""What is read out of a model's answer, and what is done with it."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from file_system import (
    AmbiguousAnswer,
    Block,
    BlockMalformed,
    BlockMismatch,
    ElidedCode,
    FileManager,
    NoCode,
    PathRefused,
    ProtectedPath,
    SyntaxProblem,
    TruncatedAnswer,
    WholeFile,
    apply_edits,
    code_for,
    parse_answer,
)

CODE = "def f(n):\n    return n\n"


def fenced(code: str = CODE, info: str = "python") -> str:
    return f"```{info}\n{code}```\n"


@pytest.mark.parametrize(
    "answer",
    [
        f"Here it is:\n\n### src/a.py\n\n{fenced()}\nHope this helps!",
        f"### `src/a.py`\n{fenced()}",
        f"**src/a.py**\n{fenced()}",
        f"File: src/a.py\n{fenced()}",
        f"1. src/a.py:\n{fenced()}",
        fenced(info="python src/a.py"),
        fenced(info="python:src/a.py"),
        fenced(info='python title="src/a.py"'),
        fenced(info="src/a.py"),
        fenced("# src/a.py\n" + CODE),
        fenced("# File: ./src/a.py\n\n" + CODE),
        f"~~~python src/a.py\n{CODE}~~~",
        f"- step\n\n  src/a.py\n  ```python\n{textwrap.indent(CODE, '  ')}  ```\n",
    ],
)
def test_whole_file_with_its_path_in_every_usual_form(answer: str) -> None:
    assert parse_answer(answer) == [WholeFile("src/a.py", CODE)]


def test_one_fence_without_a_path_is_the_target() -> None:
    answer = f"Sure.\n```bash\npip install x\n```\n{fenced()}\nUse it so:\n```python\nprint(f(1))\n```"
    assert parse_answer(answer, target="src/a.py") == [WholeFile("src/a.py", CODE)]


def test_several_files_and_a_second_version() -> None:
    answer = f"### a.py\n{fenced('x = 1')}\n### b.txt\n{fenced('hello', 'text')}\n### a.py\n{fenced()}"
    with pytest.raises(TruncatedAnswer):
        parse_answer(answer + "\n### c.js\n```js\nlet")
    answer = (
        f"### a.py\n{fenced('x = 1' + chr(10))}\n### b.txt\n{fenced('hello' + chr(10), 'text')}\n### a.py\n{fenced()}"
    )
    assert parse_answer(answer) == [WholeFile("a.py", CODE), WholeFile("b.txt", "hello\n")]


def test_shortened_path_is_the_target() -> None:
    assert parse_answer(f"### a.py\n{fenced()}", target="src/a.py") == [WholeFile("src/a.py", CODE)]


def test_prose_headings_are_no_paths() -> None:
    with pytest.raises(NoCode):
        parse_answer(f"### The solution\n{fenced()}")


def test_two_candidates_are_ambiguous() -> None:
    with pytest.raises(AmbiguousAnswer, match="2 code blocks"):
        parse_answer(fenced() + fenced("def g(): return 1\n"), target="a.py")


def test_docstring_with_a_fence_inside_stays_whole() -> None:
    code = 'def f():\n    """Use:\n\n```\nf()\n```\n    """\n    return 1\n'
    assert parse_answer(fenced(code), target="a.py") == [WholeFile("a.py", code)]


def test_markdown_file_with_fences_inside() -> None:
    body = "# Title\n\n```python\nprint(1)\n```\n\nEnd.\n"
    assert parse_answer(f"### README.md\n```markdown\n{body}```\n") == [WholeFile("README.md", body)]


def test_missing_closing_fence_is_forgiven_when_the_code_parses() -> None:
    assert parse_answer(f"```python\n{CODE}", target="a.py") == [WholeFile("a.py", CODE)]
    with pytest.raises(TruncatedAnswer, match=r"a\.py"):
        parse_answer("```python\ndef f(n):\n    return (n +", target="a.py")


def test_answer_without_any_fence() -> None:
    assert parse_answer(CODE, target="a.py") == [WholeFile("a.py", CODE)]
    with pytest.raises(NoCode, match=r"a\.py"):
        parse_answer("I cannot do that.", target="a.py")


@pytest.mark.parametrize(
    "code",
    [
        textwrap.indent(CODE, "    "),
        ">>> def f(n):\n...     return n\n...\n>>> f(1)\n1\n",
        "def f(n):\n\treturn n\n    \n",
        "  def f(n):\n    return n\n",
        "Here is the code:\n\n" + CODE + "\nIt returns n, as asked.\n",
        "def f(n):\n    return n\u200b\n",
    ],
)
def test_free_repairs(code: str) -> None:
    namespace: dict[str, object] = {}
    exec(code_for(fenced(code), "a.py"), namespace)
    assert namespace["f"](7) == 7  # type: ignore[operator]  # a function out of a dict of objects


def test_typographic_quotes() -> None:
    assert code_for(fenced("def f():\n    return “a”\n"), "a.py") == 'def f():\n    return "a"\n'


def test_code_for_a_target_prefers_its_own_fence() -> None:
    other = fenced("def g(): return 1\n")
    assert code_for(f"### b.py\n{other}\n### src/a.py\n{fenced()}", "src/a.py") == CODE
    assert code_for(f"### solution.py\n{fenced()}", "src/a.py") == CODE
    assert code_for(f"{fenced()}Usage:\n{fenced('print(f(1))' + chr(10))}", "a.py") == CODE
    assert code_for(fenced() + other, "a.py") == CODE + "\n\ndef g(): return 1\n"
    assert code_for("Prose first.\n\n" + CODE, "a.py") == CODE


def test_code_for_a_target_tells_where_the_code_is_broken() -> None:
    with pytest.raises(SyntaxProblem, match=r"a\.py:1"):
        code_for(fenced("def f(:\n    pass\n"), "a.py")
    with pytest.raises(NoCode):
        code_for("No idea.", "a.py")


BLOCKS = """\
src/a.py
<<<<<<< SEARCH
    return 1
=======
    return 2
>>>>>>> REPLACE

```python src/b.py
<<<<<<< SEARCH
x = 1
=======
x = 3
>>>>>>> REPLACE
<<<<<<< SEARCH
y = 1
=======
>>>>>>> REPLACE
```
"""


def test_search_replace_blocks_with_their_paths() -> None:
    assert parse_answer(BLOCKS) == [
        Block("src/a.py", "    return 1\n", "    return 2\n", 1),
        Block("src/b.py", "x = 1\n", "x = 3\n", 2),
        Block("src/b.py", "y = 1\n", "", 3),
    ]


def test_malformed_blocks_say_which_and_why() -> None:
    with pytest.raises(BlockMalformed, match="block 1: no path"):
        parse_answer("<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n")
    with pytest.raises(BlockMalformed, match="block 1: it is not finished"):
        parse_answer("a.py\n<<<<<<< SEARCH\na\n<<<<<<< SEARCH\nb\n=======\n>>>>>>> REPLACE\n")
    with pytest.raises(TruncatedAnswer, match="block 1"):
        parse_answer("a.py\n<<<<<<< SEARCH\na\n=======\nb\n")


@pytest.fixture
def files(tmp_path: Path) -> FileManager:
    workspace = tmp_path / "work"
    (workspace / "src").mkdir(parents=True)
    (workspace / "src/a.py").write_text("def f():\n    return 1\n\n\ndef g():\n    x = 1\n    return 1\n")
    (workspace / "src/b.py").write_bytes(b"x = 1\r\ny = 1\r\nz = 1")
    return FileManager(workspace, protected=["*.lock"])


def test_blocks_are_applied_and_line_ends_kept(files: FileManager) -> None:
    edits = parse_answer(
        BLOCKS.replace("    return 1\n", "def f():\n    return 1\n", 1).replace(
            "    return 2", "def f():\n    return 2"
        )
    )
    assert apply_edits(files, edits) == ["src/a.py", "src/b.py"]
    assert files.read_file("src/b.py") == "x = 3\r\nz = 1"
    assert "return 2" in files.read_file("src/a.py")


def test_block_that_matches_twice_or_nowhere_is_shown_the_lines(files: FileManager) -> None:
    with pytest.raises(BlockMismatch, match=r"block 1, src/a\.py: .* 2 times.*lines 2, 7"):
        apply_edits(files, parse_answer(BLOCKS))
    missing = "src/a.py\n<<<<<<< SEARCH\ndef g():\n    x = 2\n=======\n>>>>>>> REPLACE\n"
    with pytest.raises(BlockMismatch, match="not found") as caught:
        apply_edits(files, parse_answer(missing))
    assert "    5 def g():" in str(caught.value)
    spaces = "src/a.py\n<<<<<<< SEARCH\ndef g():\n  x = 1\n=======\n>>>>>>> REPLACE\n"
    with pytest.raises(BlockMismatch, match="only in white space"):
        apply_edits(files, parse_answer(spaces))


def test_empty_search_makes_a_new_file_only(files: FileManager) -> None:
    block = "{}\n<<<<<<< SEARCH\n=======\nx = 1\n>>>>>>> REPLACE\n"
    assert apply_edits(files, parse_answer(block.format("new/c.py"))) == ["new/c.py"]
    with pytest.raises(BlockMismatch, match="empty"):
        apply_edits(files, parse_answer(block.format("src/a.py")))


def test_all_edits_or_none(files: FileManager) -> None:
    good = WholeFile("src/new.py", CODE)
    for bad, error in [
        (WholeFile("src/a.py", "def f(:\n"), SyntaxProblem),
        (WholeFile("src/a.py", "# ... existing code ...\nx = 1\n"), ElidedCode),
        (WholeFile("uv.lock", "x"), ProtectedPath),
    ]:
        with pytest.raises(error):
            apply_edits(files, [good, bad])
        assert not files.exists("src/new.py")
    with pytest.raises(PathRefused):  # seen only when the second one is written: the first became a file
        apply_edits(files, [WholeFile("new", "x"), WholeFile("new/b.py", CODE)])
    assert not files.exists("new")


@pytest.mark.parametrize("comment", ["# loading ...", "# the previous implementation was slow", "# other: see above"])
def test_ordinary_comments_are_no_placeholders(files: FileManager, comment: str) -> None:
    assert apply_edits(files, [WholeFile("c.py", f"{comment}\nx = 1\n")]) == ["c.py"]


@pytest.mark.parametrize(
    "comment",
    [
        "# ...",
        "# rest of the code remains unchanged",
        "// ... existing code ...",
        "# (other methods here)",
        "<!-- unchanged -->",
    ],
)
def test_placeholders_are_refused(files: FileManager, comment: str) -> None:
    with pytest.raises(ElidedCode):
        apply_edits(files, [WholeFile("c.txt", f"{comment}\nx = 1\n")])
