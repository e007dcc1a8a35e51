"""The ranked map: what five languages define and use, what comes first, and a cache that may break."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from file_system import RepositoryMap
from file_system.code import repository_map as module
from file_system.code.languages import grammar_of
from file_system.code.ranking import pagerank
from file_system.code.tags import Definition, TagCache, Tags, tags_of

SOURCES = {
    "python": (
        'LIMIT = 3\n\n\n@traced\nasync def fetch(\n    a: int,  # the first\n    b: str = "x",\n) -> int:\n'
        '    """Not mentioned_here."""\n    def inner(): ...\n    return helper(f"{shown} hidden_text")\n\n\n'
        "class Cart(Base):\n    def total(self) -> int:\n        return 1\n",
        ["LIMIT = 3", 'async def fetch(a: int, b: str = "x") -> int', "class Cart(Base)", "  def total(self) -> int"],
        {"helper", "shown", "traced", "Base"},
        {"mentioned_here", "hidden_text", "first"},
    ),
    "javascript": (
        "const LIMIT = 3;\nexport const add = (a, b) => a + outer(`x ${shown} hidden_text`);\n// not mentioned_here\n"
        "class Cart extends Base { total() { return 1; } }\n"
        "exports.sum = function (items) { const inner = () => 1; };\n"
        "export default function main() {}\n",
        ["LIMIT = 3", "add = (a, b)", "class Cart extends Base", "  total()", "exports.sum = function (items)",
         "function main()"],
        {"outer", "shown", "Base"},
        {"mentioned_here", "hidden_text"},
    ),
    "tsx": (
        "export interface Item { price(): number }\nexport type Id = string;\nexport enum Kind { A }\n"
        "abstract class Shop<T> implements Item { abstract open(): void; price(): number { return 1 } }\n"
        "export function View(p: Props): Element { return <Panel title='hidden_text'>{shown}</Panel> }\n",
        ["interface Item", "  price(): number", "type Id = string;", "enum Kind",
         "abstract class Shop<T> implements Item", "  abstract open(): void", "  price(): number",
         "function View(p: Props): Element"],
        {"Panel", "shown", "Props"},
        {"hidden_text"},
    ),
    "go": (
        "package shop\n\nconst Limit = 3\n\ntype Cart struct {\n\titems []Item\n}\n\n"
        "func (c *Cart) Total() int { return sum(c.items, `hidden_text`) }\n\nfunc New() *Cart { return nil }\n",
        ["Limit = 3", "Cart struct", "func (c *Cart) Total() int", "func New() *Cart"],
        {"sum", "Item", "items"},
        {"hidden_text"},
    ),
    "rust": (
        "pub const LIMIT: u32 = 3;\npub struct Cart { items: Vec<Item> }\nimpl Cart {\n    pub fn total(&self) -> u32 "
        "{ helper() /* mentioned_here */ }\n}\npub trait Shop { fn open(&self); }\n",
        ["const LIMIT: u32 = 3;", "struct Cart", "impl Cart", "  pub fn total(&self) -> u32", "trait Shop",
         "  fn open(&self);"],
        {"helper", "Vec", "Item"},
        {"mentioned_here"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", SOURCES)
def test_definitions_and_uses(language: str) -> None:
    source, signatures, used, unused = SOURCES[language]
    tags = tags_of(source.encode(), grammar_of(language))
    shown = [f"{'  ' * found.depth}{found.signature}".removeprefix("pub ") for found in tags.definitions]
    assert shown == signatures
    assert used <= tags.uses.keys()
    assert not unused & tags.uses.keys()


def test_what_does_not_parse_is_read_around_and_bytes_that_are_no_text_do_no_harm() -> None:
    tags = tags_of(b"def broken(:\n    pass\n\ndef fine(a):\n    return \xff\xfe a\n", grammar_of("python"))
    assert "fine" in {found.name for found in tags.definitions}
    assert tags_of(b"\x00" * 100, grammar_of("rust")) == Tags()


def test_pagerank_of_a_known_graph() -> None:
    # A cycle of two with a third pointing in: by hand, r1 = (1-d)/3 + d(r2 + r3), r2 = (1-d)/3 + d r1, r3 = (1-d)/3.
    rank = pagerank({("a", "b"): 1, ("b", "a"): 1, ("c", "a"): 5}, {"a": 1, "b": 1, "c": 1})
    share = 0.15 / 3
    a = (share + 0.85 * (share + share)) / (1 - 0.85**2)
    assert rank["a"] == pytest.approx(a, abs=1e-3)
    assert rank["b"] == pytest.approx(share + 0.85 * a, abs=1e-3)
    assert sum(rank.values()) == pytest.approx(1)
    # A node that leads nowhere gives its share back to the beginnings.
    assert sum(pagerank({("a", "b"): 1}, {"a": 1, "b": 0}).values()) == pytest.approx(1)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    for path, text in {
        "prices.py": "def gross_price(net):\n    return net\n\n\ndef tax_rate():\n    return 1\n",
        "cart.py": "from prices import gross_price\n\n\ndef cart_total(items):\n    return gross_price(items)\n",
        "bill.py": "from prices import gross_price\n\n\ndef print_bill(items):\n    return gross_price(items)\n",
        "stock.py": "class Stock:\n    def shelf_count(self):\n        return 1\n\n    def fill(self): ...\n",
        "web/app.ts": "export function renderStock(s: Stock): string { return `${s}`; }\n",
        "tests/test_cart.py": "from cart import cart_total\n\n\ndef test_total():\n    assert cart_total([])\n",
        "node_modules/x.js": "function hidden() {}\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def first_files(text: str) -> list[str]:
    return [line.split("  ")[0] for line in text.splitlines() if not line.startswith((" ", "…"))]


def test_what_the_task_names_comes_first_then_what_that_uses(shop: Path) -> None:
    found = RepositoryMap.of(shop)
    assert first_files(found.render(500, about="Let `cart_total` round"))[:2] == ["cart.py", "prices.py"]
    assert first_files(found.render(500, about="count the shelves", near=["stock.py"]))[0] == "stock.py"
    assert first_files(found.render(500))[0] == "prices.py", "used by most"
    assert first_files(found.render(500))[-1] == "tests/test_cart.py"
    assert "hidden" not in found.render(500)
    assert "  class Stock\n    def shelf_count(self)" in found.render(500)
    assert found.users_of("cart.py") == ["tests/test_cart.py"]


def test_the_budget_holds_and_what_is_left_out_is_counted(shop: Path) -> None:
    found = RepositoryMap.of(shop)
    for budget in range(0, 120, 3):
        assert len(found.render(budget, about="cart_total")) <= budget * 3.5
    short = found.render(20, about="cart_total")
    assert short.splitlines() == ["cart.py", "  def cart_total(items)", "… and 5 more files"]
    assert found.render(20, about="gross_price").startswith("prices.py  (+1)\n  def gross_price(net)\n…")


def parsed_paths(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    parsed: list[bytes] = []

    def counted(source: bytes, grammar: object) -> Tags:
        parsed.append(source)
        return tags_of(source, grammar)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "tags_of", counted)
    return parsed


def test_only_what_changed_is_parsed_again(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = parsed_paths(monkeypatch)
    first = RepositoryMap.of(shop, tmp_path / "cache")
    assert len(parsed) == 6
    parsed.clear()
    assert RepositoryMap.of(shop, tmp_path / "cache").tags == first.tags
    assert parsed == []
    (shop / "cart.py").write_text("def cart_sum(items): ...\n")
    assert "cart_sum" in RepositoryMap.of(shop, tmp_path / "cache").render(500)
    assert parsed == [b"def cart_sum(items): ...\n"]


@pytest.mark.parametrize("damage", ["garbage", "middle", "schema", "values", "edition", "folder"])
def test_a_broken_cache_is_made_anew(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    cache = tmp_path / "cache"
    whole = RepositoryMap.of(shop, cache).tags
    file = cache / "repository_map.sqlite"
    match damage:
        case "garbage":
            file.write_bytes(os.urandom(5000))
        case "middle":
            data = bytearray(file.read_bytes())
            data[4096:] = os.urandom(len(data) - 4096)
            file.write_bytes(data)
        case "folder":
            file.unlink()
            cache.rmdir()
            cache.write_text("not a folder")
        case _:
            statement = {
                "schema": "ALTER TABLE tags RENAME COLUMN tags TO other",
                "values": "UPDATE tags SET tags = '{\"uses\": 3}'",
                "edition": "PRAGMA user_version = 1",
            }[damage]
            with sqlite3.connect(file) as connection:
                connection.execute(statement)
            connection.close()
    parsed = parsed_paths(monkeypatch)
    assert RepositoryMap.of(shop, cache).tags == whole
    assert len(parsed) == 6
    RepositoryMap.of(shop, cache)  # where the file had to be thrown away it is written now
    parsed.clear()
    assert RepositoryMap.of(shop, cache).tags == whole
    assert len(parsed) == (6 if damage == "folder" else 0)


def test_the_cache_is_bounded_and_the_oldest_goes_first(tmp_path: Path) -> None:
    tags = Tags(definitions=(Definition(name="f", signature="def f()", line=1),))
    size = len(tags.model_dump_json())
    cache = TagCache(tmp_path, most_bytes=3 * size)
    cache.keep({"a": tags, "b": tags}, [])
    with sqlite3.connect(tmp_path / "repository_map.sqlite") as connection:
        connection.execute("UPDATE tags SET used = 1")
    connection.close()
    cache.keep({"c": tags, "d": tags}, ["a"])
    assert sorted(cache.load(["a", "b", "c", "d"])) == ["a", "c", "d"]


def test_a_locked_cache_is_done_without(shop: Path, tmp_path: Path) -> None:
    whole = RepositoryMap.of(shop, tmp_path).tags
    holder = sqlite3.connect(tmp_path / "repository_map.sqlite", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    assert RepositoryMap.of(shop, tmp_path).tags == whole
    holder.execute("ROLLBACK")
    holder.close()
    assert (tmp_path / "repository_map.sqlite").exists()


SHOP = {
    "shop/cart.py": "class Cart:\n    def total(self) -> int:\n        return 1\n\n    def clear(self): ...\n\n\n"
    "def shipping(weight: int) -> int:\n    return weight\n",
    "shop/order.py": "class Order:\n    def total(self) -> int:\n        return 2\n" + "\n\ndef pay_now(): ...\n",
    "shop/long.py": "import os\n" * 90 + "def begin(): ...\n",
    "docs/conf.py": "def shipping(): ...\n",
    "tests/test_cart.py": "import pytest\n\nfrom shop.cart import shipping\n\n\ndef test_clear(): ...\n\n\n"
    "def test_shipping():\n    assert shipping(1) == 1\n",
}


@pytest.mark.parametrize(
    ("words", "places"),
    [
        ("`Order.total` is wrong", ["shop/order.py:2-5"]),
        ("`shipping(2)` returns `3`", ["shop/cart.py:8-53", "tests/test_cart.py:1-5", "tests/test_cart.py:9-25"]),
        ("the shipping is too dear", ["shop/cart.py:8-53", "tests/test_cart.py:1-5", "tests/test_cart.py:9-25"]),
        ("make pay_now quicker, but not the shipping", ["shop/order.py:6-51"]),
        ("tidy shop/cart.py up", ["shop/cart.py:1-45"]),
        ("tidy shop/long.py up; it raises(ValueError)", []),
        ("make it quicker", []),
    ],
)
def test_the_code_that_a_task_names_is_found(tmp_path: Path, words: str, places: list[str]) -> None:
    for path, text in SHOP.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    assert RepositoryMap.of(tmp_path).named_in(words) == places
