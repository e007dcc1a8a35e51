"""`project start` takes a text from a file or standard input, and says what to do about anything else."""

from __future__ import annotations

import pytest

from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.scripts import team
from tests.orchestrator.test_project_start import SPEC

__all__ = ["make_house"]

BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\t\n", "is empty"),
    "marks": (b"# ---\n\n***", "says too little"),
    "two words": (b"a tool", "says too little"),
    "binary": (b"\x7fELF\x02\x01\x00\x00 words of a program", "binary file"),
    "latin-1": ("Ein Werkzeug f\xfcr Stra\xdfen und Wege".encode("latin-1"), "no text in UTF-8"),
    "huge": (b"much too long " * 20_000, "longer than 40,000 characters"),
    "long": (("\u00fc und so weiter " * 3_000).encode(), "longer than 40,000 characters"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_text_is_refused_with_what_to_do(kind: str, make_house: MakeHouse) -> None:
    content, words = BAD[kind]
    house, _ = make_house(team())
    file = house.folder / "spec.md"
    file.write_bytes(content)
    done = house.cli("project", "start", str(file))
    assert done.returncode == 2
    assert words in done.stderr
    assert ";" in done.stderr
    assert not house.paths.state.exists(), "nothing is begun"


def test_a_text_comes_from_standard_input_too(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    done = house.cli("project", "start", "-", "--title", "Sums", "--priority", "high", stdin=SPEC)
    assert done.returncode == 0, done.stderr
    assert "Sums" in done.stdout
    with house.store() as store:
        (task,) = store.tasks.select()
    assert (task.type, task.title, task.priority, task.description) == ("project", "Sums", 1, SPEC.strip())
    missing = house.cli("project", "start", str(house.folder / "none.md"))
    assert (missing.returncode, "cannot be read" in missing.stderr) == (2, True)
