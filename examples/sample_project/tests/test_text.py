import pytest

from plainkit.text import join_words, slugify, squeeze, truncate


def test_squeeze_trims_and_joins_runs_of_white_space():
    assert squeeze("  two \n\t words ") == "two words"
    assert squeeze(" \n ") == ""


def test_truncate_leaves_short_text_alone():
    assert truncate("short", 10) == "short"
    assert truncate("exactly 10", 10) == "exactly 10"
    assert truncate("", 5) == ""


def test_truncate_marks_the_cut():
    assert truncate("The quick brown fox", 10) == "The quick…"
    assert truncate("Supercalifragilistic", 6) == "Super…"
    assert truncate("abc", 1) == "…"


@pytest.mark.parametrize("width", [0, -3])
def test_truncate_refuses_a_width_below_one(width):
    with pytest.raises(ValueError, match="width"):
        truncate("anything", width)


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Hello World", "hello-world"),
        ("Crème brûlée, twice!", "creme-brulee-twice"),
        ("--already--dashed--", "already-dashed"),
        ("???", ""),
    ],
)
def test_slugify(title, slug):
    assert slugify(title) == slug


def test_slugify_with_another_separator():
    assert slugify("Annual report 2024", separator="_") == "annual_report_2024"


def test_join_words():
    assert join_words([]) == ""
    assert join_words(["salt"]) == "salt"
    assert join_words(["salt", "pepper"]) == "salt and pepper"
    assert join_words(["tea", "coffee", "water"], last="or") == "tea, coffee or water"
