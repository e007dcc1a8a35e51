from codes.numbers import from_digits, rotate, to_roman, zigzag
from codes.texts import encode_runs, escape, shift


def test_texts():
    assert encode_runs("aaab") == "3a1b"
    assert escape("a/b,c") == "a//b/,c"
    assert shift("xyz!", 2) == "zab!"


def test_numbers():
    assert to_roman(1994) == "MCMXCIV"
    assert [zigzag(number) for number in (0, -1, 1, -2)] == [0, 1, 2, 3]
    assert from_digits([1, 0, 1], 2) == 5
    assert rotate([1, 2, 3], 4) == [2, 3, 1]
