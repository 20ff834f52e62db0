"""Booked payments that a person has rated again: with the rates that hold now, once, and on the record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from closingbell.domain.withholding import WithholdingRule
from closingbell.errors import UnknownPaymentError, UsageError
from closingbell.jobs.dividend_processor import DividendSelection, process_dividends
from closingbell.models import AuditEntry, DividendPayment, DividendRecheck, DividendRerate
from closingbell.queries.audit import audit
from closingbell.stores import books
from closingbell.stores.database import open_database
from closingbell.usecases.accounts import change_account
from closingbell.usecases.rerating import preview_rerate, rerate_payment
from tests.app_fixtures import House
from tests.dividend_desk import Desk

Make = Callable[..., Desk]
DIVIDEND = {
    "do": "event", "id": "e1", "symbol": "XX", "ex_date": "2024-03-14", "amount": "0.333", "pay_date": "2024-04-02"
}  # fmt: skip
RATE = {"do": "fx", "from": "USD", "to": "EUR", "date": "2024-04-02", "rate": "0.9"}


@pytest.fixture
def make(tables_url: str, tmp_path: Path) -> Iterator[Make]:
    """Makes a desk on which account A, in euros, and account B hold 15 shares of XX and were paid 0.333 for each."""
    database = open_database(tables_url)

    def made(**config: Any) -> Desk:
        desk = Desk(database, tmp_path)
        accounts = [
            {"id": "A", "currency": "EUR", "residence": "DE", "wht": {"US": "0.15"}},
            {"id": "B", "currency": "USD", "wht": {"US": "0.15"}},
        ]
        desk.set_up({"config": config, "accounts": accounts, "instruments": [{"symbol": "XX"}], "steps": []})
        for name in ("A", "B"):
            desk.trade(name, "XX", "2024-01-10", "15")
        desk.carry_out(DIVIDEND)
        desk.carry_out(RATE)
        desk.run("2024-04-02")
        return desk

    yield made
    database.dispose()


def payment(desk: Desk, account: str = "A", leg: str = "PAYMENT") -> int:
    [found] = [
        row.id
        for row in desk.rows(DividendPayment)
        if (row.account_id, row.leg, row.is_active) == (desk.accounts[account], leg, 1)
    ]
    return int(found)


def new_rates(desk: Desk) -> None:
    """What the tables should have said on the pay date: 10 per cent withheld, and 0.95 euros for a dollar."""
    rule = WithholdingRule("US", Decimal("0.10"), date(2024, 1, 1), account_id=desk.accounts["A"])
    now = desk.clock.now()
    desk.database.write_unit(lambda c: books.store_withholding_rule(c, rule, now=now))
    desk.carry_out({**RATE, "rate": "0.95"})


def differences(desk: Desk) -> list[str]:
    return [
        one
        for line in audit(desk.database, now=desk.clock.now())
        for one in line.differences
        if line.check != "append-only"
    ]


def test_payment_is_booked_anew_with_the_rates_of_its_day(make: Make) -> None:
    desk = make()
    # 15 x 0.333 = 4.995, rounded 5.00; less 0.75; 4.25 at 0.9, less the tax in euros.
    assert desk.cash_log() == {"e1/A": ["3.8200"], "e1/B": ["4.2500"]}
    new_rates(desk)
    # A table that was edited is no difference.
    desk.run("2024-04-05")
    assert desk.cash_log()["e1/A"] == ["3.8200"]

    number = payment(desk)
    found = rerate_payment(desk.context, number, by="Ann", why="the statement says so")
    assert [(old.leg.value, old.net, new.net, new.cash) for old, new in found.changes] == [
        ("ACCRUAL", 42_500, 45_000, 0),
        ("PAYMENT", 42_500, 45_000, 42_700),
    ]
    desk.run("2024-04-06")

    # Gross 4.75 and tax 0.48 in euros; B's payment is another matter.
    assert desk.cash_log() == {"e1/A": ["3.8200", "-3.8200", "4.2700"], "e1/B": ["4.2500"]}
    [old] = [row for row in desk.rows(DividendPayment) if row.id == number]
    assert old.reversal_reason == "rated again by Ann: the statement says so"
    assert [(one["account"], one["version"], one["fx_rate"]) for one in desk.payments()] == [
        ("A", 2, "0.9500000000"),
        ("B", 1, None),
    ]
    assert [(row.who, row.action, row.target) for row in desk.rows(AuditEntry)] == [
        ("Ann", "rate again", f"payment {number}, A")
    ]
    assert desk.states() == {"e1": "CORRECTED"}
    assert (desk.rows(DividendRerate), desk.rows(DividendRecheck)) == ([], [])
    assert (desk.balances_by_group(), differences(desk)) == ([], [])
    assert desk.run("2024-04-07").items == ()


def test_asking_twice_books_once(make: Make) -> None:
    desk = make()
    new_rates(desk)
    number = payment(desk)
    rerate_payment(desk.context, number, by="Ann", why="first")
    rerate_payment(desk.context, number, by="Bob", why="second")
    # A look at an earlier day leaves what was asked for the next ordinary run.
    process_dividends(desk.context, None, DividendSelection(as_of=date(2024, 4, 2)))
    desk.run("2024-04-06")

    assert desk.cash_log()["e1/A"] == ["3.8200", "-3.8200", "4.2700"]
    again = rerate_payment(desk.context, payment(desk), by="Ann", why="once more")
    assert (again.changes, desk.rows(DividendRerate)) == ((), [])
    assert desk.run("2024-04-07").items == ()


def test_closed_period_is_corrected_today(make: Make) -> None:
    desk = make()
    new_rates(desk)
    desk.configure({"lock_date": "2024-04-30"})
    desk.run("2024-05-13")

    rerate_payment(desk.context, payment(desk), by="Ann", why="the statement says so")
    desk.run("2024-05-14")

    assert desk.cash(until=date(2024, 4, 30))["A"] == {"EUR": Decimal("3.8200")}
    assert desk.cash()["A"] == {"EUR": Decimal("4.2700")}
    assert desk.run("2024-05-15").items == ()


@pytest.mark.one_database
def test_rounding_of_the_account_counts_too(make: Make) -> None:
    desk = make()
    change_account(desk.context, "B", rounding="DOWN")
    number = payment(desk, "B", "ACCRUAL")

    [(_, accrual), (_, paid)] = preview_rerate(desk.context, number).changes
    # 4.995 is cut to 4.99, and 0.7485 of tax to 0.74.
    assert (accrual.gross, accrual.tax, paid.cash) == (49_900, 7_400, 42_500)
    assert desk.rows(DividendRerate) == []


@pytest.mark.one_database
def test_fraction_of_a_split_is_rated_again(make: Make) -> None:
    desk = make()
    change_account(desk.context, "A", fraction_policy="CASH_IN_LIEU")
    desk.carry_out({"do": "split", "symbol": "XX", "ex_date": "2024-05-02", "num": 1, "den": 2, "id": "s1"})
    desk.close("XX", "2024-05-02", "10.00")
    desk.carry_out({**RATE, "date": "2024-05-02"})
    desk.run("2024-05-02")
    assert desk.cash_log()["s1/A"] == ["4.5000"]
    desk.carry_out({**RATE, "date": "2024-05-02", "rate": "0.8"})

    rerate_payment(desk.context, payment(desk, leg="CIL"), by="Ann", why="wrong rate")
    desk.run("2024-05-03")

    assert desk.cash_log()["s1/A"] == ["4.5000", "-4.5000", "4.0000"]
    assert desk.run("2024-05-04").items == ()


@pytest.mark.one_database
def test_what_cannot_be_rated_again_is_refused(make: Make) -> None:
    desk = make()
    number = payment(desk)

    with pytest.raises(UnknownPaymentError, match="no payment 999 is on record"):
        rerate_payment(desk.context, 999, by="Ann", why="x")
    with pytest.raises(UsageError, match="say why"):
        rerate_payment(desk.context, number, by="Ann", why=" ")
    desk.change_action("e1", is_held=True)
    with pytest.raises(UsageError, match="is held"):
        rerate_payment(desk.context, number, by="Ann", why="x")
    desk.change_action("e1", is_held=False, amount=Decimal("0.4"))
    desk.run("2024-04-05")
    with pytest.raises(UsageError, match="was taken back already"):
        rerate_payment(desk.context, number, by="Ann", why="x")
    assert desk.rows(DividendRerate) == []


@pytest.mark.one_database
def test_command_shows_and_asks(house: House) -> None:
    house.at("2012-12-14 16:31").hold("IBM", since="2012-11-01")
    house.run()
    house.command("run-dividend-processor")
    rated = house.command("books", "withhold", "US", "0.25", "--since", "2012-01-01", "--account", "Ann")
    assert rated.exit_code == 0, rated.output
    number = str(max(row.id for row in house.rows(DividendPayment)))

    shown = house.command("rerate-payment", number, "--dry-run").stdout
    assert "gross 8.50, tax 2.13 at 0.25, net 6.37 USD, cash 6.37 USD, rounded HALF_UP" in shown
    assert shown.endswith("nothing was changed\n")
    assert house.command("rerate-payment", number).exit_code == 2
    told = json.loads(house.command("rerate-payment", number, "--why", "abroad", "--format", "json").stdout)
    assert [one["leg"] for one in told["legs"]] == ["ACCRUAL", "PAYMENT"]
    assert house.command("run-dividend-processor").output.startswith("SUCCESS: 1 payment booked, 1 taken back: -2.13")
    last = str(max(row.id for row in house.rows(DividendPayment)))
    assert "stays as it is" in house.command("rerate-payment", last, "--why", "abroad").stdout
