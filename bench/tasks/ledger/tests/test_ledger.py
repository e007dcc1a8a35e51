from datetime import date

import pytest
from ledger import Account, Ledger, format_cents, parse_cents
from ledger.cli import main, read_lines, report
from ledger.money import add_tax

DAY = date(2024, 5, 1)


def test_amounts_are_read():
    assert parse_cents("12.50") == 1250
    assert parse_cents("-3") == -300
    with pytest.raises(ValueError):
        parse_cents("1.234")


def test_amounts_are_written():
    assert format_cents(1250) == "12.50"
    assert format_cents(-5) == "-0.05"


def test_tax_is_rounded():
    assert add_tax(999, 19) == 1189


def test_an_account_sums_its_postings():
    account = Account("cash")
    account.post(DAY, 500)
    account.post(DAY, -200)
    assert account.balance() == 300
    with pytest.raises(ValueError):
        account.post(DAY, 0)


def test_a_transfer_moves_money():
    ledger = Ledger()
    ledger.transfer(DAY, "cash", "rent", 700)
    assert ledger.account("cash").balance() == -700
    assert ledger.account("rent").balance() == 700


def test_the_report_is_ordered_by_name():
    ledger = read_lines(["# May", "2024-05-01 rent 7.00", "", "2024-05-01 cash -7.00"])
    assert report(ledger) == "cash -7.00\nrent 7.00"


def test_the_command_prints_the_report(tmp_path, capsys):
    file = tmp_path / "book.txt"
    file.write_text("2024-05-01 cash 1.00\n")
    assert main([str(file)]) == 0
    assert capsys.readouterr().out == "cash 1.00\n"
