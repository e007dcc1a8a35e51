"""Texts, encoded."""


def encode_runs(text: str) -> str:
    """Each run of a sign as its length and the sign."""
    parts: list[str] = []
    count = 0
    for place, sign in enumerate(text):
        count += 1
        if place + 1 == len(text) or text[place + 1] != sign:
            parts.append(f"{count}{sign}")
            count = 0
    return "".join(parts)


def escape(text: str) -> str:
    """A field of a line: comma and stroke are marked by a stroke before them."""
    return text.replace("/", "//").replace(",", "/,")


def shift(text: str, by: int) -> str:
    """Small letters moved on in the alphabet, from z on to a; other signs stay."""
    moved = [chr((ord(sign) - ord("a") + by) % 26 + ord("a")) if "a" <= sign <= "z" else sign for sign in text]
    return "".join(moved)
