"""Dividends that may be had in shares: by the account's choice, whole ones at the issuer's price, the rest in cash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from closingbell.errors import UsageError
from closingbell.models import DividendPayment, DividendRecheck, Order
from closingbell.queries.audit import audit
from closingbell.stores import accounts
from closingbell.stores.database import open_database
from closingbell.usecases.orders import delete_order
from tests.dividend_desk import Desk

Make = Callable[..., Desk]
SCRIP = {
    "do": "event",
    "id": "e1",
    "symbol": "XX",
    "type": "SCRIP",
    "ex_date": "2024-03-14",
    "amount": "0.50",
    "scrip_price": "20.00",
    "pay_date": "2024-04-02",
}


@pytest.fixture
def make(tables_url: str, tmp_path: Path) -> Iterator[Make]:
    """Makes a desk with account A, which holds 100 shares of XX, and a dividend of 0.50, or shares at 20.00."""
    database = open_database(tables_url)

    def made(*steps: dict[str, Any], **account: Any) -> Desk:
        desk = Desk(database, tmp_path)
        accounts = [{"id": "A", "currency": "USD", **account}]
        desk.set_up({"accounts": accounts, "instruments": [{"symbol": "XX"}], "steps": []})
        desk.trade("A", "XX", "2024-01-10", "100", name="A buys")
        for step in (SCRIP, *steps):
            desk.carry_out(step)
        return desk

    yield made
    database.dispose()


def differences(desk: Desk) -> list[str]:
    return [one for line in audit(desk.database) for one in line.differences if line.check != "append-only"]


def test_account_that_chose_shares_has_whole_ones_and_the_rest_in_cash(make: Make) -> None:
    desk = make(scrip=True)

    told = desk.run("2024-04-02").message

    assert told == "1 payments booked, 0 taken back: 50.00 USD, 40.00 USD of it reinvested"
    # 50.00 are two shares at 20.00 and 10.00.
    assert desk.positions()["A"] == {"XX": Decimal(102)}
    assert desk.cash_log() == {"e1/A": ["50.0000", "-40.0000"]}
    (made,) = [row for row in desk.rows(Order) if row.source == "scrip"]
    assert (made.type, str(made.trade_date), made.price, made.amount) == ("BUY", "2024-04-02", Decimal(20), Decimal(40))
    assert (differences(desk), desk.rows(DividendRecheck)) == ([], [])
    assert desk.run("2024-04-03").items == ()


def test_cash_is_what_an_account_gets_that_chose_nothing(make: Make) -> None:
    desk = make()
    desk.run("2024-04-02")
    assert (desk.positions()["A"], desk.cash_log()) == ({"XX": Decimal(100)}, {"e1/A": ["50.0000"]})

    now = desk.clock.now()
    desk.database.write_unit(
        lambda c: accounts.store_account_settings(c, desk.accounts["A"], now=now, takes_scrip=True)
    )
    desk.run("2024-04-10")

    # What was paid before the choice stays as it was.
    assert desk.positions()["A"] == {"XX": Decimal(100)}


def test_shares_follow_the_payment_and_later_dividends_follow_them(make: Make) -> None:
    later = {
        "do": "event",
        "id": "e2",
        "symbol": "XX",
        "ex_date": "2024-05-02",
        "amount": "1",
        "pay_date": "2024-05-10",
    }
    desk = make(later, scrip=True)
    desk.run("2024-05-10")
    assert [(one["event"], one["qty"]) for one in desk.payments()] == [
        ("e1", "100.0000000000"),
        ("e2", "102.0000000000"),
    ]

    desk.trade("A", "XX", "2024-02-01", "100")
    desk.run("2024-05-13")

    # 100.00 are five shares.
    assert desk.positions()["A"] == {"XX": Decimal(205)}
    assert [(one["event"], one["qty"]) for one in desk.payments()] == [
        ("e1", "200.0000000000"),
        ("e2", "205.0000000000"),
    ]
    assert desk.states() == {"e1": "CORRECTED", "e2": "CORRECTED"}
    assert differences(desk) == []

    desk.change_action("e1", is_cancelled=True)
    desk.run("2024-05-14")

    assert desk.positions()["A"] == {"XX": Decimal(200)}
    assert [(one["event"], one["qty"]) for one in desk.payments()] == [("e2", "200.0000000000")]
    assert {row.leg for row in desk.rows(DividendPayment) if row.is_active} == {"ACCRUAL", "PAYMENT"}
    assert (differences(desk), desk.rows(DividendRecheck)) == ([], [])


@pytest.mark.one_database
def test_shares_come_before_what_is_bought_at_the_market(make: Make) -> None:
    desk = make(scrip=True, reinvest=True)
    desk.close("XX", "2024-04-02", "10.00")

    desk.run("2024-04-02")

    assert desk.positions()["A"] == {"XX": Decimal(102)}


@pytest.mark.one_database
def test_too_little_for_a_share_stays_cash(make: Make) -> None:
    desk = make(scrip=True)
    desk.change_action("e1", scrip_price=Decimal("50.01"))

    desk.run("2024-04-02")

    assert (desk.positions()["A"], desk.cash_log()) == ({"XX": Decimal(100)}, {"e1/A": ["50.0000"]})


@pytest.mark.one_database
def test_account_of_another_currency_pays_at_the_rate_of_the_payment(make: Make) -> None:
    rate = {"do": "fx", "from": "USD", "to": "EUR", "date": "2024-04-02", "rate": "0.9"}
    desk = make(rate, scrip=True, currency="EUR")

    desk.run("2024-04-02")

    assert desk.positions()["A"] == {"XX": Decimal(102)}
    assert desk.cash_log() == {"e1/A": ["45.0000", "-36.0000"]}
    assert differences(desk) == []


@pytest.mark.one_database
def test_order_of_the_shares_is_deleted_by_nobody_else(make: Make) -> None:
    desk = make(scrip=True)
    desk.run("2024-04-02")
    (made,) = [row for row in desk.rows(Order) if row.source == "scrip"]

    with pytest.raises(UsageError, match=f"order {made.id} is shares in place of a dividend"):
        delete_order(desk.context, made.id, by="Ann")
