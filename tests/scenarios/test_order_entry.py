"""Orders, accounts and books by command: checked at the door, booked at once, taken back exactly."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from closingbell.domain.runs import RunStatus
from closingbell.models import LedgerEntry, Order
from closingbell.stores import ledger
from tests.app_fixtures import HEADER, House


@pytest.fixture
def ann(house: House) -> House:
    """A house with an account that holds ten shares of IBM."""
    assert house.command("accounts", "add", "Ann", "--residence", "DE").stdout == "account Ann is there, in USD\n"
    add(house, "BUY", "--symbol", "IBM", "--quantity", "10", "--price", "195.50", "--fee", "4.95")
    return house


def add(house: House, type_: str, *options: str, day: str = "2012-09-05") -> str:
    result = house.command("orders", "add", "Ann", type_, "--date", day, *options)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def refused(house: House, *arguments: str) -> str:
    before = house.rows(LedgerEntry)
    result = house.command(*arguments)
    assert result.exit_code == 2
    assert house.rows(LedgerEntry) == before
    return result.stderr


def cash(house: House) -> dict[str, Decimal]:
    with house.context.database.read() as connection:
        return {currency: amount for (_, _, currency), amount in ledger.load_balances(connection).items()}


def orders(house: House, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(house.command("orders", "list", *options, "--format", "json").stdout)
    return found


def test_order_is_entered_booked_and_listed(ann: House) -> None:
    assert cash(ann) == {"USD": Decimal("-1959.95")}
    (order,) = orders(ann)
    assert (order["account"], order["symbol"], order["quantity"], order["source"]) == ("Ann", "IBM", "10.00", "manual")
    assert order["executed_at"] == "2012-09-05T20:00:00+00:00"


def test_deleted_order_is_reversed_and_stays_on_record(ann: House) -> None:
    (order,) = orders(ann)

    result = ann.command("orders", "delete", str(order["id"]), "--by", "ann")

    assert result.stdout.endswith("2012-09-05 BUY 10.00 IBM at 195.50 USD\n")
    assert cash(ann) == {"USD": Decimal(0)}
    assert orders(ann) == []
    assert orders(ann, "--deleted")[0]["deleted_by"] == "ann"
    assert "was deleted already" in refused(ann, "orders", "delete", str(order["id"]))


def test_selling_more_than_is_held_must_be_meant(ann: House) -> None:
    sale = (
        "orders",
        "add",
        "Ann",
        "SELL",
        "--date",
        "2012-09-06",
        "--symbol",
        "IBM",
        "--quantity",
        "12",
        "--price",
        "2",
    )

    assert "would hold -2.00 IBM at the end of 2012-09-06" in refused(ann, *sale)
    assert ann.command(*sale, "--allow-short").exit_code == 0


def test_purchase_of_shares_that_were_sold_is_not_deleted_by_mistake(ann: House) -> None:
    add(ann, "SELL", "--symbol", "IBM", "--quantity", "10", "--price", "200", day="2012-09-06")
    bought = orders(ann)[-1]["id"]

    assert "would hold -10.00 IBM" in refused(ann, "orders", "delete", str(bought))


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Bob", "DEPOSIT", "--date", "2012-09-04", "--amount", "1"), "no account is called 'Bob'"),
        (("Ann", "DEPOSIT", "--date", "2013-09-04", "--amount", "1"), "lies in the future"),
        (("Ann", "DEPOSIT", "--date", "2012-09-04", "--amount", "1e15"), "too large"),
        (("Ann", "DEPOSIT", "--date", "2012-09-04", "--amount", "ten"), "'ten' is not a number"),
        (("Ann", "BUY", "--date", "2012-09-04", "--quantity", "1", "--price", "1"), "name its symbol"),
        (("Ann", "BUY", "--date", "2012-09-04", "--symbol", "A.XX", "--quantity", "1", "--price", "1"), "suffix .XX"),
    ],
)
def test_bad_order_is_refused_with_the_reason(ann: House, arguments: tuple[str, ...], said: str) -> None:
    assert said in refused(ann, "orders", "add", *arguments)


def test_amount_whose_product_overflows_is_refused(ann: House) -> None:
    before = ann.rows(Order)
    result = ann.command(
        "orders", "add", "Ann", "BUY", "--date", "2012-09-05", "--symbol", "IBM", "--quantity", "900000000", "--price",
        "9000000000000",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "too large to be money" in result.stderr
    assert ann.rows(Order) == before


def test_more_shares_than_can_be_summed_are_refused_before_they_stop_a_job(ann: House, tmp_path: Path) -> None:
    many = ("--date", "2012-09-05", "--symbol", "IBM", "--quantity", "900000000", "--price", "0.01")
    add(ann, "BUY", *many[2:])
    add(ann, "SELL", *many[2:])
    before = ann.rows(Order)

    told = ann.command("orders", "add", "Ann", "BUY", *many)
    assert (told.exit_code, ann.rows(Order)) == (1, before)
    assert "IBM: an account can have bought 920,000,000 shares of a company in all" in told.stderr
    file = tmp_path / "orders.csv"
    file.write_text(HEADER + "2012-09-05,DEPOSIT,,,5,0,USD\n2012-09-06,SELL,IBM,30000000,0.01,0,USD\n")
    assert "IBM: an account can have sold" in ann.command("import", str(file), "--account", "Ann").stderr
    assert ann.rows(Order) == before
    assert ann.run().status is RunStatus.SUCCESS


def test_more_money_than_can_be_summed_is_refused_before_nobody_can_read_it(ann: House, tmp_path: Path) -> None:
    add(ann, "DEPOSIT", "--amount", "890000000000000")
    add(ann, "DEPOSIT", "--amount", "890000000000000", "--currency", "EUR")
    before = ann.rows(Order)

    told = ann.command("orders", "add", "Ann", "DEPOSIT", "--date", "2012-09-05", "--amount", "890000000000000")
    assert (told.exit_code, ann.rows(Order)) == (1, before)
    assert "account Ann can have taken in, or paid out, 900,000,000,000,000 USD in all" in told.stderr
    file = tmp_path / "orders.csv"
    file.write_text(HEADER + "2012-09-05,DEPOSIT,,,20000000000000,0,USD\n")
    assert "account Ann can have taken in" in ann.command("import", str(file), "--account", "Ann").stderr
    assert ann.rows(Order) == before
    # What it paid for ten shares of IBM is 1959.95.
    assert cash(ann) == {"USD": Decimal("889999999998040.05"), "EUR": Decimal(890000000000000)}


def test_trade_after_a_company_was_closed_is_taken_with_a_note(ann: House, tmp_path: Path) -> None:
    add(ann, "BUY", "--symbol", "FB", "--quantity", "1", "--price", "20")
    ann.command("close-company", "FB", "--on", "2012-10-01", "--why", "taken over")
    note = "FB: closed on 2012-10-01: taken over; closingbell reopen-company FB opens it"

    told = ann.command(
        "orders", "add", "Ann", "BUY", "--date", "2012-10-02", "--symbol", "FB", "--quantity", "1", "--price", "3"
    )
    assert (told.exit_code, note in told.output) == (0, True)
    file = tmp_path / "orders.csv"
    file.write_text(HEADER + "2012-10-01,BUY,FB,1,3,0,USD\n2012-10-03,BUY,FB,1,3,0,USD\n")
    imported = ann.command("import", str(file), "--account", "Ann")
    assert imported.stderr == f"doubtful: line 3: {note}\n"


@pytest.mark.one_database
def test_import_sells_short_by_the_accounts_own_rule_for_fractions(ann: House, tmp_path: Path) -> None:
    # 100 shares 1-for-8 are 12.5, of which an account of whole shares keeps 12.
    add(ann, "BUY", "--symbol", "GE", "--quantity", "100", "--price", "20")
    split = ("--ex-date", "2012-09-10", "--ratio", "1:8", "--why", "told", "--by", "ann")
    assert ann.command("actions", "add", "GE", "reverse_split", *split).exit_code == 0
    ann.command("accounts", "set", "Ann", "--fractions", "CASH_IN_LIEU")
    file = tmp_path / "orders.csv"
    file.write_text(HEADER + "2012-09-11,SELL,GE,12.5,160,0,USD\n")

    told = ann.command("import", str(file), "--account", "Ann", "--dry-run").stderr
    assert "line 2: the account would hold -0.50 GE at the end of 2012-09-11: purchases before are missing" in told
    ann.command("accounts", "set", "Ann", "--fractions", "KEEP")
    assert "would hold" not in ann.command("import", str(file), "--account", "Ann", "--dry-run").stderr


@pytest.mark.one_database
def test_day_of_an_order_is_the_exchanges_own(ann: House) -> None:
    # 10:30 of Saturday's eve in Sydney is still the day before in New York and in UTC.
    ann.at("2012-11-29 18:30")
    bhp = ("--symbol", "BHP.AX", "--quantity", "1", "--price", "34", "--currency", "AUD")

    assert add(ann, "BUY", *bhp, day="2012-11-30").endswith("BUY 1.00 BHP.AX at 34.00 AUD\n")
    for order in (("BUY", *bhp, "--date", "2012-12-01"), ("DEPOSIT", "--amount", "5", "--date", "2012-11-30")):
        assert "lies in the future" in refused(ann, "orders", "add", "Ann", *order)


@pytest.mark.one_database
def test_day_of_an_imported_order_is_the_exchanges_own(ann: House, tmp_path: Path) -> None:
    # 7:30 in Auckland and 5:30 in Sydney; Friday has not begun in UTC, and Saturday nowhere.
    ann.at("2012-11-29 13:30")
    file = tmp_path / "orders.csv"
    file.write_text(
        HEADER + "2012-11-30,BUY,BHP.AX,1,34,0,AUD\n2012-11-30,BUY,AIR.NZ,1,1.2,0,NZD\n2012-11-30,BUY,IBM,1,190,0,USD\n"
        "2012-12-01,BUY,BHP.AX,1,34,0,AUD\n2012-11-30,DEPOSIT,,,5,0,USD\n"
    )
    told = ann.command("import", str(file), "--account", "Ann").stderr.splitlines()

    assert [line for line in told if "future" in line] == [
        "line 4: the date 2012-11-30 lies in the future",
        "line 5: the date 2012-12-01 lies in the future",
        "line 6: the date 2012-11-30 lies in the future",
    ]
    file.write_text(HEADER + "2012-11-30,BUY,BHP.AX,1,34,0,AUD\n2012-11-30,BUY,AIR.NZ,1,1.2,0,NZD\n")
    assert ann.command("import", str(file), "--account", "Ann").exit_code == 0
    assert [order["symbol"] for order in orders(ann, "--account", "Ann")[-3:]] == ["BHP.AX", "AIR.NZ", "IBM"]


def test_key_is_entered_once(ann: House) -> None:
    add(ann, "DEPOSIT", "--amount", "5", "--key", "salary-9")

    assert "'salary-9' is in account Ann already" in refused(
        ann, "orders", "add", "Ann", "DEPOSIT", "--date", "2012-09-05", "--amount", "5", "--key", "salary-9"
    )


def test_order_that_says_the_same_is_taken_with_a_note(ann: House) -> None:
    first = add(ann, "DEPOSIT", "--amount", "5").split()[1]

    result = ann.command("orders", "add", "Ann", "DEPOSIT", "--date", "2012-09-05", "--amount", "5.00")

    assert result.stderr == f"note: order {first} says the same; delete one of them if this is a repetition\n"
    assert cash(ann) == {"USD": Decimal("-1949.95")}


def test_order_for_a_closed_period_is_taken_with_a_note(ann: House) -> None:
    ann.command("books", "set", "lock_date", "2012-10-31")

    result = ann.command("orders", "add", "Ann", "DEPOSIT", "--date", "2012-09-05", "--amount", "5")

    assert result.stderr == "note: the books are closed up to 2012-10-31: it counts in the ledger from today on\n"
    assert str(ann.rows(LedgerEntry)[-1].value_date) == "2012-11-30"


def test_cash_is_kept_by_currency(ann: House) -> None:
    add(ann, "DEPOSIT", "--amount", "5000")
    add(ann, "CONVERSION", "--amount", "1000", "--for", "795.40", "eur")

    assert cash(ann) == {"USD": Decimal("2040.05"), "EUR": Decimal("795.40")}


def test_accounts_and_books_are_set_and_shown(ann: House) -> None:
    ann.command("accounts", "set", "Ann", "--fractions", "CASH_IN_LIEU", "--reinvest", "--dividends", "SUGGEST")
    (account,) = json.loads(ann.command("accounts", "list", "--format", "json").stdout)
    assert (account["residence"], account["fraction_policy"], account["is_reinvesting"]) == ("DE", "CASH_IN_LIEU", True)
    assert "no account is called 'Bob'" in refused(ann, "accounts", "set", "Bob", "--reinvest")
    assert "'XYZ' is not two letters" in refused(ann, "accounts", "set", "Ann", "--residence", "XYZ")

    assert ann.command("books", "set", "lock_date", "2012-10-31").stdout == "lock_date: 2012-10-31\n"
    assert ann.command("books", "set", "lock_date").stdout == "lock_date: not set\n"
    assert "only days that are over" in refused(ann, "books", "set", "lock_date", "2012-12-31")
    assert "is not one of ESTIMATE" in refused(ann, "books", "set", "pay_policy", "NEVER")
    assert "is not one of lock_date" in refused(ann, "books", "set", "colour", "red")
    assert ann.command("books", "withhold", "US", "0.15", "--since", "2012-01-01", "--residence", "DE").exit_code == 0
    assert "a share from 0 to 1" in refused(ann, "books", "withhold", "US", "15", "--since", "2012-01-01")
    assert ann.command("books", "fx", "USD", "EUR", "2012-09-05", "0.7954").exit_code == 0
    shown = json.loads(ann.command("books", "show", "--format", "json").stdout)
    assert shown["settings"]["pay_policy"] == "ESTIMATE"
    assert [(rule["source_country"], rule["residence"], rule["rate"]) for rule in shown["withholding"]] == [
        ("US", "DE", "0.15")
    ]
