"""Dividends that may be had in shares: by the account's choice, whole ones at the issuer's price, the rest in cash."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from closingbell.errors import UnknownAccountError, UsageError
from closingbell.models import AuditEntry, DividendPayment, DividendRecheck, Order
from closingbell.queries.audit import audit
from closingbell.queries.elections import ElectionView, list_elections
from closingbell.stores import accounts
from closingbell.stores.database import open_database
from closingbell.usecases.accounts import change_account
from closingbell.usecases.elections import elect
from closingbell.usecases.orders import delete_order
from tests.app_fixtures import House
from tests.dividend_desk import NEW_YORK, Desk

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
    return [
        one
        for line in audit(desk.database, now=desk.clock.now())
        for one in line.differences
        if line.check != "append-only"
    ]


def test_account_that_chose_shares_has_whole_ones_and_the_rest_in_cash(make: Make) -> None:
    desk = make(scrip=True)

    told = desk.run("2024-04-02").message

    assert told == "1 payment booked, 0 taken back: 50.00 USD, 40.00 USD of it reinvested"
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


def stand(desk: Desk, on: str, *, takes_scrip: bool) -> None:
    """The account's standing choice, changed at noon in New York."""
    at(desk, on)
    change_account(desk.context, "A", takes_scrip=takes_scrip)


def at(desk: Desk, on: str) -> None:
    desk.clock.set(datetime.fromisoformat(f"{on}T12:00").replace(tzinfo=NEW_YORK))


def choose(desk: Desk, on: str, takes_shares: bool | None) -> None:
    at(desk, on)
    elect(desk.context, "A", desk.actions["e1"], takes_shares, by="Ann")


def deadline(desk: Desk, on: str = "2024-03-28") -> None:
    desk.change_action("e1", election_deadline=date.fromisoformat(on))


def test_choice_for_one_dividend_beats_the_standing_one(make: Make) -> None:
    second = {**SCRIP, "id": "e2", "ex_date": "2024-06-13", "pay_date": "2024-07-02"}
    desk = make(second)
    deadline(desk)

    choose(desk, "2024-03-28", takes_shares=True)
    desk.run("2024-07-02")

    # 50.00 are two shares and 10.00; the second dividend comes in cash, on 102 shares.
    assert desk.positions()["A"] == {"XX": Decimal(102)}
    assert desk.cash_log() == {"e1/A": ["50.0000", "-40.0000"], "e2/A": ["51.0000"]}
    assert [(row.who, row.action, row.detail) for row in desk.rows(AuditEntry)] == [
        ("Ann", "elect", "XX 2024-03-14: shares")
    ]
    assert (differences(desk), desk.rows(DividendRecheck)) == ([], [])
    assert desk.run("2024-07-03").items == ()


def test_choice_after_the_deadline_is_refused_and_changes_nothing(make: Make) -> None:
    desk = make()
    deadline(desk)
    choose(desk, "2024-03-20", takes_shares=True)

    # One minute into the next day at the exchange.
    desk.clock.set(datetime(2024, 3, 29, 0, 1, tzinfo=NEW_YORK))
    with pytest.raises(UsageError, match="the choice ended on 2024-03-28, and A takes shares"):
        elect(desk.context, "A", desk.actions["e1"], False, by="Ann")
    desk.run("2024-04-02")

    assert desk.cash_log() == {"e1/A": ["50.0000", "-40.0000"]}
    assert len(desk.rows(AuditEntry)) == 1


@pytest.mark.parametrize(
    ("changed_on", "booked"),
    [("2024-03-28", ["50.0000", "-40.0000"]), ("2024-03-29", ["50.0000"])],
    ids=["on the deadline", "the day after"],
)
def test_standing_choice_counts_as_it_was_at_the_deadline(make: Make, changed_on: str, booked: list[str]) -> None:
    desk = make()
    deadline(desk)

    stand(desk, changed_on, takes_scrip=True)
    # Whenever the first run is: what counts was fixed at the deadline.
    desk.run("2024-05-10")
    stand(desk, "2024-05-11", takes_scrip=False)
    desk.run("2024-05-12")

    assert desk.cash_log() == {"e1/A": booked}
    assert desk.states() == {"e1": "PAID"}


def test_choice_that_is_changed_after_booking_is_a_correction(make: Make) -> None:
    later = {**SCRIP, "id": "e2", "type": "CASH", "ex_date": "2024-05-02", "amount": "1", "pay_date": "2024-05-10"}
    desk = make(later)
    desk.run("2024-05-10")
    assert desk.cash_log() == {"e1/A": ["50.0000"], "e2/A": ["100.0000"]}

    # No deadline is known, so it may still be chosen.
    choose(desk, "2024-05-13", takes_shares=True)
    desk.run("2024-05-13")
    assert desk.cash_log() == {
        "e1/A": ["50.0000", "-40.0000"],
        "e2/A": ["100.0000", "-100.0000", "102.0000"],
    }
    choose(desk, "2024-05-14", takes_shares=False)
    desk.run("2024-05-14")

    assert desk.positions()["A"] == {"XX": Decimal(100)}
    assert desk.cash_log() == {
        "e1/A": ["50.0000", "-40.0000", "40.0000"],
        "e2/A": ["100.0000", "-100.0000", "102.0000", "-102.0000", "100.0000"],
    }
    assert desk.states() == {"e1": "CORRECTED", "e2": "CORRECTED"}
    assert (differences(desk), desk.balances_by_group(), desk.rows(DividendRecheck)) == ([], [], [])


@pytest.mark.one_database
def test_choice_in_a_closed_period_counts_today(make: Make) -> None:
    desk = make()
    desk.run("2024-04-02")
    desk.configure({"lock_date": "2024-04-30"})

    choose(desk, "2024-05-13", takes_shares=True)
    desk.run("2024-05-13")

    (leg,) = [row for row in desk.rows(DividendPayment) if row.leg == "SCRIP"]
    assert (str(leg.due_date), str(leg.value_date)) == ("2024-04-02", "2024-05-13")
    assert desk.run("2024-05-14").items == ()


@pytest.mark.one_database
def test_choice_that_is_taken_back_leaves_the_standing_one(make: Make) -> None:
    desk = make(scrip=True)
    deadline(desk)
    choose(desk, "2024-03-20", takes_shares=False)
    assert [(one.choice, one.is_standing) for one in listed(desk)] == [("cash", False)]
    choose(desk, "2024-03-21", takes_shares=None)
    assert [(one.choice, one.is_standing) for one in listed(desk)] == [("shares", True)]

    desk.run("2024-04-02")

    assert desk.cash_log() == {"e1/A": ["50.0000", "-40.0000"]}
    assert (listed(desk), len(listed(desk, with_closed=True))) == ([], 1)


@pytest.mark.one_database
def test_cash_that_was_reinvested_cannot_be_had_in_shares_too(make: Make) -> None:
    desk = make(reinvest=True)
    desk.close("XX", "2024-04-02", "10.00")
    desk.run("2024-04-02")
    (bought,) = [row for row in desk.rows(Order) if row.source == "dividend"]

    with pytest.raises(UsageError, match=f"closingbell orders delete {bought.id}"):
        choose(desk, "2024-04-03", takes_shares=True)
    delete_order(desk.context, bought.id, by="Ann")
    choose(desk, "2024-04-03", takes_shares=True)
    desk.run("2024-04-03")

    assert desk.positions()["A"] == {"XX": Decimal(102)}


@pytest.mark.one_database
def test_what_offers_no_choice_is_refused(make: Make) -> None:
    desk = make({**SCRIP, "id": "e2", "type": "CASH", "ex_date": "2024-05-02"})
    at(desk, "2024-03-01")

    with pytest.raises(UsageError, match="offers A no shares in place of cash"):
        elect(desk.context, "A", desk.actions["e2"], True, by="Ann")
    with pytest.raises(UnknownAccountError, match="no account is called 'B'"):
        elect(desk.context, "B", desk.actions["e1"], True, by="Ann")


def listed(desk: Desk, *, with_closed: bool = False) -> list[ElectionView]:
    return list_elections(desk.database, now=desk.clock.now(), account="A", with_closed=with_closed)


@pytest.mark.one_database
def test_commands_list_and_choose(house: House) -> None:
    house.at("2012-12-14 16:31").hold("IBM", since="2012-11-01")
    scrip = (
        "--ex-date 2012-12-20 --amount 0.85 --currency USD --scrip-price 4 --election-deadline 2013-01-04 --why told"
    )
    assert house.command("actions", "add", "IBM", "SCRIP", *scrip.split()).exit_code == 0
    [row] = json.loads(house.command("elections", "list", "--format", "json").stdout)
    assert (row["symbol"], row["price"], row["choice"], row["is_standing"]) == ("IBM", "4.00", "cash", True)
    action = str(row["action_id"])

    assert house.command("elections", "choose", action, "--account", "Ann").exit_code == 2
    chosen = house.command("elections", "choose", action, "--account", "Ann", "--shares")
    assert chosen.stdout == "Ann takes shares of IBM, ex 2012-12-20; the next dividend run books it\n"
    [_, line] = house.command("elections", "list").stdout.splitlines()
    assert line.split()[-3:] == ["2013-01-04", "shares,", "chosen"]
    house.at("2013-01-10 16:31")
    late = house.command("elections", "choose", action, "--account", "Ann", "--cash")
    assert (late.exit_code, "the choice ended on 2013-01-04" in late.stderr) == (2, True)
    assert house.command("elections", "list").stdout == "no dividend may be had in shares\n"
