from notes.cli import line, main
from notes.search import containing, summary, tagged
from notes.store import Note, Store
from notes.tags import tags_in, without_tags


def test_tags_are_found_once():
    assert tags_in("Buy #Milk and #milk #now") == ["milk", "now"]


def test_a_text_without_its_tags():
    assert without_tags("Buy milk #now") == "Buy milk"


def test_notes_are_kept(tmp_path):
    path = tmp_path / "notes.json"
    Store(path).add("One #a")
    again = Store(path)
    assert [(note.number, note.text, note.tags) for note in again.notes] == [(1, "One #a", ["a"])]


def test_a_note_is_removed(tmp_path):
    store = Store(tmp_path / "notes.json")
    store.add("One")
    store.remove(1)
    assert Store(store.path).notes == []


def test_search():
    notes = [Note(1, "Buy milk", tags=["now"]), Note(2, "Read")]
    assert containing(notes, "milk") == notes[:1]
    assert tagged(notes, "NOW") == notes[:1]


def test_a_summary_is_cut():
    assert summary("a" * 50, 5) == "aaaa…"


def test_a_line_shows_what_is_done():
    assert line(Note(3, "Read", done=True)) == "3 x Read"


def test_the_commands(tmp_path, capsys):
    file = str(tmp_path / "n.json")
    assert main(["--file", file, "add", "Read"]) == 0
    assert main(["--file", file, "list"]) == 0
    assert capsys.readouterr().out == "1 - Read\n1 - Read\n"
