"""What people and programs are told of payments, and what people may take out of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from closingbell.jobs.dividend_processor import (
    DIVIDEND_PROCESSOR,
    DividendSelection,
    _carry_out_groups,
    _groups,
    _Tally,
    preview_dividends,
)
from closingbell.jobs.runner import Run
from closingbell.models import DividendPayment, LedgerEntry, Notification, Order, OutboxMessage, RunPaid
from closingbell.queries.audit import audit
from closingbell.stores import job_log
from closingbell.stores.database import open_database
from closingbell.usecases import messages, people
from closingbell.usecases.orders import delete_order
from tests.dividend_desk import Desk

Make = Callable[..., Desk]
WALL = datetime(2024, 4, 2, 21, tzinfo=UTC)
XX = {"do": "event", "id": "x", "symbol": "XX", "ex_date": "2024-03-14", "amount": "0.50", "pay_date": "2024-04-02"}
YY = {"do": "event", "id": "y", "symbol": "YY", "ex_date": "2024-03-14", "amount": "0.10", "pay_date": "2024-04-02"}


@pytest.fixture
def make(tables_url: str, tmp_path: Path) -> Iterator[Make]:
    """Makes a desk with accounts that each bought 10 XX and 10 YY, which pay 0.50 and 0.10 on 2024-04-02."""
    database = open_database(tables_url)

    def made(*accounts: dict[str, Any]) -> Desk:
        desk = Desk(database, tmp_path)
        companies = [{"symbol": "XX"}, {"symbol": "YY"}]
        desk.set_up({"accounts": list(accounts), "instruments": companies, "steps": []})
        for account in accounts:
            for symbol in ("XX", "YY"):
                desk.trade(account["id"], symbol, "2024-01-10", "10", name=f"{account['id']} buys {symbol}")
        desk.carry_out(XX)
        desk.carry_out(YY)
        return desk

    yield made
    database.dispose()


@pytest.mark.one_database
def test_programs_are_told_of_what_was_paid_and_not_of_what_is_only_owed(make: Make) -> None:
    desk = make({"id": "A", "currency": "USD"}, {"id": "B", "currency": "EUR"})
    desk.carry_out({"do": "fx", "from": "USD", "to": "EUR", "date": "2024-04-02", "rate": "0.92"})
    messages.add_webhook(desk.context, url="https://example.org/hook", events=("dividends.paid",), by="ann")

    owed = desk.run("2024-03-14")
    assert [item.stored_count for item in owed.items] == [2, 2]
    assert desk.rows(OutboxMessage) == []

    run = desk.run("2024-04-02")
    [event] = desk.rows(OutboxMessage)
    body = json.loads(event.body)
    assert (body["event"], body["run"]["id"]) == ("dividends.paid", run.run_id)
    assert body["paid"] == {
        "payment_count": 4,
        "cash": {"EUR": "5.52", "USD": "6.00"},
        "taken_back_count": 0,
        "taken_back": {},
        "symbols": ["XX", "YY"],
        "symbol_count": 2,
    }

    desk.carry_out({"do": "event_update", "id": "y", "amount": "0.20"})
    desk.run("2024-04-03")
    corrected = json.loads(desk.rows(OutboxMessage)[1].body)["paid"]
    assert (corrected["cash"], corrected["taken_back"]) == (
        {"EUR": "1.84", "USD": "2.00"},
        {"EUR": "0.92", "USD": "1.00"},
    )
    desk.carry_out({"do": "event_cancel", "id": "y"})
    desk.run("2024-04-04")
    assert len(desk.rows(OutboxMessage)) == 2


def test_what_a_killed_run_had_paid_is_told_once(make: Make) -> None:
    desk = make({"id": "A", "currency": "USD"}, {"id": "B", "currency": "USD"})
    messages.add_webhook(desk.context, url="https://example.org/hook", events=("dividends.paid",), by="ann")
    desk.clock.set(datetime(2024, 4, 2, 21, tzinfo=UTC))
    # XX's payments are committed; then there is no such process any more.
    with desk.database.write() as connection:
        start = job_log.RunStart(
            job_name=DIVIDEND_PROCESSOR, trigger="schedule", owner="elsewhere:1:x", now=desk.clock.now(), wall=WALL
        )
        killed = job_log.start_run(connection, start)
    run = Run(killed, DIVIDEND_PROCESSOR, "elsewhere:1:x", lambda: None)
    selection = DividendSelection(symbols=("XX",))
    _carry_out_groups(desk.context, run, _groups(desk.context, selection), selection, _Tally())
    assert (len(desk.payments()), desk.rows(OutboxMessage)) == (2, [])

    # Its lease ran out long ago by the wall's clock.
    rest = desk.run("2024-04-02")
    desk.run("2024-04-03")

    told = [json.loads(row.body) for row in desk.rows(OutboxMessage)]
    assert [(one["id"], one["run"]["status"]) for one in told] == [
        (f"run-{killed}-dividends.paid", "FAILED"),
        (f"run-{rest.run_id}-dividends.paid", "SUCCESS"),
    ]
    assert [(one["paid"]["payment_count"], one["paid"]["cash"], one["paid"]["symbols"]) for one in told] == [
        (2, {"USD": "10.00"}, ["XX"]),
        (2, {"USD": "2.00"}, ["YY"]),
    ]
    assert desk.rows(RunPaid) == []


@pytest.mark.one_database
def test_what_is_reinvested_is_told_beside_what_is_paid(make: Make) -> None:
    desk = make({"id": "A", "currency": "USD", "reinvest": True, "drip_decimals": 0})
    desk.carry_out({"do": "event_update", "id": "x", "amount": "5.30"})
    desk.carry_out({"do": "event_cancel", "id": "y"})
    desk.close("XX", "2024-04-02", "17.66")
    desk.clock.set(datetime(2024, 4, 2, 21, tzinfo=UTC))

    preview = preview_dividends(desk.context, DividendSelection())
    assert preview.in_words() == "would pay 1 account 53.00 USD, 52.98 USD of it reinvested"
    assert preview.lines == ("XX: 3 to book, 0 to take back, cash 53.00 USD, 52.98 USD of it reinvested",)
    told = "1 payment booked, 0 taken back: 53.00 USD, 52.98 USD of it reinvested"
    assert desk.run("2024-04-02").message == told

    # The next one's price comes two days late.
    desk.carry_out(XX | {"id": "next", "amount": "5.00", "ex_date": "2024-05-14", "pay_date": "2024-06-03"})
    assert desk.run("2024-06-03").message == "1 payment booked, 0 taken back: 65.00 USD"
    desk.close("XX", "2024-06-03", "20.00")
    desk.clock.set(datetime(2024, 6, 5, 21, tzinfo=UTC))
    late = preview_dividends(desk.context, DividendSelection()).in_words()
    assert late == "would reinvest 60.00 USD of earlier payments"
    assert desk.run("2024-06-05").message == "0 payments booked, 0 taken back: 60.00 USD of earlier payments reinvested"


@pytest.mark.one_database
def test_late_order_for_a_dividend_paid_long_ago_is_reinvested_once_its_price_comes(make: Make) -> None:
    desk = make({"id": "A", "currency": "USD"}, {"id": "R", "currency": "USD", "reinvest": True})
    desk.carry_out({"do": "event_cancel", "id": "y"})
    desk.carry_out({"do": "delete_trade", "id": "R buys XX"})
    assert desk.run("2024-04-02").message == "1 payment booked, 0 taken back: 5.00 USD"
    for day in ("2024-04-15", "2024-05-15"):
        assert desk.run(day).message == "0 payments booked, 0 taken back"

    # An order from before the ex-date is entered in June, and no price of the pay date is stored yet.
    desk.trade("R", "XX", "2024-02-01", "30", name="late")
    assert desk.run("2024-06-03").message == "1 payment booked, 0 taken back: 15.00 USD"
    assert desk.run("2024-06-03").message == "0 payments booked, 0 taken back"
    assert desk.run("2024-06-05").message == "0 payments booked, 0 taken back"
    desk.close("XX", "2024-04-02", "20.00")
    assert desk.run("2024-06-06").message == "0 payments booked, 0 taken back: 15.00 USD of earlier payments reinvested"
    assert desk.run("2024-06-07").items == ()


def told(desk: Desk) -> list[tuple[str, str]]:
    return [(row.title, row.body) for row in desk.rows(Notification)]


@pytest.mark.one_database
def test_people_are_told_once_of_a_price_or_a_rate_that_does_not_come(make: Make) -> None:
    desk = make({"id": "A", "currency": "USD", "reinvest": True}, {"id": "B", "currency": "EUR"})
    people.create_administrator(desk.context, email="ann@example.org", password="correct horse battery")
    desk.carry_out({"do": "event_cancel", "id": "y"})
    # The desk runs late in the evening of New York, which is the next day already in UTC: days count from the third.
    for day in ("2024-04-02", "2024-04-07"):
        desk.run(day)
    assert told(desk) == []

    desk.run("2024-04-08")
    [rate] = told(desk)
    assert rate == (
        "XX CASH of 2024-03-14: no exchange rate from USD to EUR for 2024-04-02",
        "In 1 account cash waits for it. Enter the rate with closingbell books fx FROM TO DATE RATE; "
        "the next run pays.",
    )
    desk.run("2024-04-09")
    [_, price] = told(desk)
    assert price == (
        "XX CASH of 2024-03-14: no price of 2024-04-02 to reinvest at",
        "In 1 account the dividend stays cash: after five days no shares are bought for it any more. Enter what the "
        "broker bought with closingbell orders add.",
    )
    for day in ("2024-04-10", "2024-04-11", "2024-05-11"):
        desk.run(day)
    assert len(told(desk)) == 2
    desk.close("XX", "2024-04-02", "40.00")
    desk.carry_out({"do": "fx", "from": "USD", "to": "EUR", "date": "2024-04-02", "rate": "0.92"})
    desk.run("2024-05-12")
    assert desk.cash() == {"A": {"USD": Decimal(5)}, "B": {"EUR": Decimal("4.6")}}
    assert len(told(desk)) == 2


@pytest.mark.one_database
def test_people_are_told_of_a_missing_price_also_after_days_without_a_run(make: Make) -> None:
    desk = make({"id": "A", "currency": "USD", "reinvest": True})
    people.create_administrator(desk.context, email="ann@example.org", password="correct horse battery")
    desk.carry_out({"do": "event_cancel", "id": "y"})
    desk.run("2024-04-02")
    desk.run("2024-04-14")
    assert [title for title, _ in told(desk)] == ["XX CASH of 2024-03-14: no price of 2024-04-02 to reinvest at"]


def audited(desk: Desk) -> list[str]:
    """What the audit names; tables here have no triggers, and the desk keeps no summaries of its closes."""
    kept = [
        line for line in audit(desk.database, now=desk.clock.now()) if line.check not in {"append-only", "summaries"}
    ]
    return [text for line in kept for text in line.differences]


def test_person_takes_reinvested_shares_out_and_they_stay_out(make: Make) -> None:
    desk = make({"id": "A", "currency": "USD", "reinvest": True})
    desk.close("XX", "2024-04-02", "40.00")
    later = XX | {"id": "later", "ex_date": "2024-04-09", "pay_date": "2024-04-10"}
    desk.carry_out(later)
    desk.run("2024-04-02")
    desk.run("2024-04-12")
    assert desk.positions()["A"]["XX"] == Decimal("10.125")
    # 0.125 shares at 40.00; 10.125 shares were paid 0.50 each, half a cent up.
    assert desk.cash_log() == {"x/A": ["5.0000", "-5.0000"], "y/A": ["1.0000"], "later/A": ["5.0600"]}
    [bought] = [row for row in desk.rows(Order) if row.source == "dividend"]

    delete_order(desk.context, bought.id, by="Ann")
    [leg] = [row for row in desk.rows(DividendPayment) if row.leg == "DRIP"]
    assert (leg.is_active, leg.reversal_reason) == (None, "the shares that it bought were taken out by Ann")
    booked = [(row.name, row.amount) for row in desk.rows(LedgerEntry) if row.order_id == bought.id]
    assert booked == [
        ("Cash", Decimal(-5)),
        ("Securities", Decimal(5)),
        ("Cash", Decimal(5)),
        ("Securities", Decimal(-5)),
    ]
    assert audited(desk) == []
    desk.run("2024-04-13")
    desk.run("2024-04-14")

    assert desk.positions()["A"]["XX"] == Decimal(10)
    assert len([row for row in desk.rows(Order) if row.source == "dividend"]) == 1
    assert desk.cash_log()["later/A"] == ["5.0600", "-5.0600", "5.0000"]
    assert desk.cash()["A"] == {"USD": Decimal(11)}
    assert audited(desk) == []


@pytest.mark.one_database
def test_preview_tells_what_is_paid_from_what_is_only_owed_and_in_every_coin(make: Make) -> None:
    desk = make({"id": "A", "currency": "USD"})
    for name, coin in (("K", "KWD"), ("J", "JPY")):
        desk.open_account({"id": name, "currency": coin})
        desk.list_company(name * 2, coin, coin[:2])
    desk.carry_out({"do": "event_cancel", "id": "y"})
    desk.trade("K", "KK", "2024-01-10", "1")
    desk.trade("J", "JJ", "2024-01-10", "1000")
    desk.carry_out(XX | {"id": "k", "symbol": "KK", "amount": "1234.567"})
    desk.carry_out(XX | {"id": "j", "symbol": "JJ", "amount": "275"})

    def on(month: int, day: int) -> str:
        desk.clock.set(datetime(2024, month, day, 21, tzinfo=UTC))
        return preview_dividends(desk.context, DividendSelection()).in_words()

    assert on(3, 20) == "would write down what is owed to 3 accounts; no cash moves"
    assert on(4, 2) == "would pay 3 accounts 275,000.00 JPY, 1,234.567 KWD, 5.00 USD"
    desk.run("2024-04-02")
    desk.carry_out({"do": "event_cancel", "id": "x"})
    assert on(4, 3) == "would take back 1 payment (-5.00 USD)"
    desk.carry_out({"do": "event_reinstate", "id": "x"})
    desk.carry_out({"do": "event_update", "id": "x", "amount": "0.60"})
    assert on(4, 3) == "would pay 1 account 1.00 USD; would take back 1 payment"
    desk.run("2024-04-03")
    desk.carry_out({"do": "split", "id": "s", "symbol": "KK", "ex_date": "2024-04-04", "num": 2, "den": 1})
    assert on(4, 4) == "would move shares of 1 account; no cash moves"
