"""`TODO` and `FIXME` comments."""

from __future__ import annotations

from file_system import todos_in

PYTHON = '''"""TODO: not a comment."""

# TODO(ann): negative numbers,
# too


def double(x):
    return 2 * x


class Basket:
    def add(self):
        # FIXME this forgets
        return "# TODO: no comment either"


LIMIT = 3  # TODO: from the settings
# Todo lists are fine, and so is TODOS.
'''


def test_comments_are_found_with_what_they_stand_in() -> None:
    marks = todos_in("a.py", PYTHON)
    assert [(mark.line, mark.word, mark.text, mark.symbol) for mark in marks] == [
        (3, "TODO", "negative numbers, too", ""),
        (13, "FIXME", "this forgets", "Basket.add"),
        (17, "TODO", "from the settings Todo lists are fine, and so is TODOS.", ""),
    ]
    assert marks[1].around.startswith("    def add(self):")


def test_a_comment_directly_above_a_definition_is_about_it() -> None:
    (mark,) = todos_in("a.py", "# TODO: faster\n@cache\ndef f():\n    return 1\n")
    assert (mark.symbol, mark.around) == ("f", "@cache\ndef f():\n    return 1")


def test_other_languages_and_broken_files() -> None:
    (mark,) = todos_in("a.ts", "let a = 1; // FIXME: wrong\nlet url = 'http://TODO';\n")
    assert (mark.line, mark.text) == (1, "wrong")
    (kept,) = todos_in("a.py", "# TODO: this\ndef f(:\n  '''")
    assert kept.text == "this"


def test_what_the_parser_chokes_on_has_its_comments_all_the_same() -> None:
    (mark,) = todos_in("a.py", "x = " + "+".join(["1"] * 20_000) + "\n# TODO: shorter\n")
    assert mark.text == "shorter"
