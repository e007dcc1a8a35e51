from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory import ContextManager, ContextTooLarge, MemoryStore, Section, estimated_tokens
from memory.context import MAX_LESSONS


@pytest.fixture
def context(store: MemoryStore) -> ContextManager:
    return ContextManager(store)


def test_what_fits_is_shown_whole_and_in_order(context: ContextManager) -> None:
    sections = [Section("Goal", "Be good.", 1), Section("Nothing", " \n"), Section("Task", "Do it.\n", 9)]
    assert context.build(sections, 100) == "## Goal\nBe good.\n\n## Task\nDo it."


def test_the_least_important_is_cut_first_and_the_cut_is_marked(context: ContextManager) -> None:
    code = "\n".join(f"line {number} of the code" for number in range(100))
    sections = [Section("Goal", "g" * 100, 5), Section("Code", code, 1), Section("Task", "t" * 100, 9, keep=True)]
    built = context.build(sections, 200)
    assert estimated_tokens(built) <= 200
    assert "g" * 100 in built and "t" * 100 in built
    shown, _, rest = built.partition("## Code\n")[2].partition("\n[… ")
    assert shown.splitlines() == code.splitlines()[: len(shown.splitlines())]  # whole lines only
    assert rest.startswith(f"{len(code) - len(shown)} characters cut …]")


def test_what_is_left_out_is_named(context: ContextManager) -> None:
    sections = [Section("Code", "c" * 5000), Section("Task", "t" * 100, keep=True)]
    assert "## Code\n[… left out: 5000 characters …]" in context.build(sections, 45)
    assert context.build(sections, 30) == "## Task\n" + "t" * 100  # not even the mark fits


def test_what_must_be_kept_and_does_not_fit_is_an_error(context: ContextManager) -> None:
    sections = [Section("Task", "t" * 1000, keep=True), Section("Code", "c")]
    with pytest.raises(ContextTooLarge, match=r"at least 252 tokens does not fit the budget of 100.*\(Task\)"):
        context.build(sections, 100)


def test_another_tokenizer_can_count(store: MemoryStore) -> None:
    words = ContextManager(store, count_tokens=lambda text: len(text.split()))
    built = words.build([Section("Code", "word " * 500), Section("Task", "all of it", keep=True)], 40)
    assert 30 < len(built.split()) <= 40


_sections = st.lists(
    st.builds(
        lambda number, size, priority, keep: Section(f"S{number}", f"{number:03}" * size, priority, keep),
        st.integers(0, 999),
        st.integers(1, 400),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=6,
    unique_by=lambda section: section.title,
)


@settings(max_examples=150, deadline=None)
@given(sections=_sections, budget=st.integers(1, 2000))
def test_laws_of_a_context(sections: list[Section], budget: int) -> None:
    context = ContextManager(MemoryStore("sqlite:///unused.db"))
    try:
        built = context.build(sections, budget)
    except ContextTooLarge as error:
        assert error.needed > budget
        return
    assert estimated_tokens(built) <= budget
    titles = [line[3:] for line in built.splitlines() if line.startswith("## ")]
    order = [section.title for section in sections]
    assert titles == [title for title in order if title in titles]
    whole = {section.title for section in sections if f"## {section.title}\n{section.text}" in built}
    assert {section.title for section in sections if section.keep} <= whole
    touched = [section.priority for section in sections if section.title not in whole]
    untouched = [section.priority for section in sections if section.title in whole and not section.keep]
    assert not touched or not untouched or max(touched) <= max(untouched) or min(untouched) >= max(touched)
    if estimated_tokens("\n\n".join(f"## {section.title}\n{section.text}" for section in sections)) <= budget:
        assert whole == set(order)


def test_the_same_beginning_gives_the_same_prefix(context: ContextManager) -> None:
    first = [Section("Goal", "Make it fast."), Section("Strategy", "Measure first.")]
    one = context.build([*first, Section("Task", "a")], 500)
    other = context.build([*first, Section("Task", "b")], 500)
    assert one[:-1] == other[:-1] == "## Goal\nMake it fast.\n\n## Strategy\nMeasure first.\n\n## Task\n"


# --- lessons ------------------------------------------------------------------------------------------------------


def test_lessons_come_back_by_shared_words_best_first(context: ContextManager) -> None:
    context.add_lesson("Dates need a timezone.", "t-1", ["parse_date"])
    context.add_lesson("Negative numbers break the parser.", "t-2", ["Roman numerals"])
    context.add_lesson("The parser of dates is slow.", "t-3")
    assert context.lessons_for("Write parse_date for ISO dates") == [
        "Dates need a timezone.",
        "The parser of dates is slow.",
    ]
    assert context.lessons_for("roman NUMERALS") == ["Negative numbers break the parser."]
    assert context.lessons_for("Something else") == []
    assert len(context.lessons_for("dates parser timezone", limit=1)) == 1


def test_of_equal_lessons_the_newest_goes_first(context: ContextManager) -> None:
    context.add_lesson("unicode: first", "t-1")
    context.add_lesson("unicode: second", "t-2")
    assert context.lessons_for("unicode") == ["unicode: second", "unicode: first"]


def test_lessons_are_bounded_in_size_and_number(context: ContextManager, store: MemoryStore) -> None:
    context.add_lesson("  ", "t-0")
    for number in range(MAX_LESSONS + 5):
        context.add_lesson(f"lesson number{number:04} " + "x" * 2000, f"t-{number}")
    kept = store.journal.memories("global", "lesson/")
    assert len(kept) == MAX_LESSONS
    assert context.lessons_for("number0004") == []  # the oldest went
    [lesson] = context.lessons_for("number0005")
    assert len(lesson) <= 600


def test_the_same_lesson_is_kept_once(context: ContextManager, store: MemoryStore) -> None:
    for task_id in ("t-1", "t-2"):
        context.add_lesson("Round half to even.", task_id)
    assert len(store.journal.memories("global", "lesson/")) == 1


def test_lessons_as_a_section(context: ContextManager) -> None:
    assert context.build([context.lessons_section("unicode")], 100) == ""
    context.add_lesson("unicode has marks", "t-1")
    assert context.build([context.lessons_section("unicode")], 100) == (
        "## Lessons from earlier tasks\n- unicode has marks"
    )
