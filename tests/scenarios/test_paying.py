"""What people and programs are told of payments, and what people may take out of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from closingbell.models import OutboxMessage
from closingbell.stores.database import open_database
from closingbell.usecases import messages
from tests.dividend_desk import Desk

Make = Callable[..., Desk]
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
