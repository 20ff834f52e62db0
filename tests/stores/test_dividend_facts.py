"""What was traded before a day counts as one: positions from then on are the same, with a row for each account."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Connection, insert, select

from closingbell.domain.entitlements import Trade
from closingbell.models import Account, Order
from closingbell.stores.database import Database
from closingbell.stores.dividend_facts import load_trades

AT = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)
SHARE = 10**10
TOLD = [
    ("one", date(2012, 1, 5), "BUY", 10, None),
    ("one", date(2012, 2, 6), "SELL", 4, None),
    ("one", date(2012, 3, 7), "BUY", 100, AT),
    ("one", date(2012, 8, 8), "BUY", 3, None),
    ("one", date(2012, 8, 9), "TRANSFER_OUT", 2, None),
    ("two", date(2012, 8, 9), "BUY", 7, None),
    ("three", date(2012, 4, 4), "BUY", 5, None),
    ("three", date(2012, 4, 4), "SELL", 5, None),
]


@pytest.fixture
def accounts(database: Database, company_id: int) -> dict[str, int]:
    def fill(connection: Connection) -> dict[str, int]:
        names = sorted({name for name, *_ in TOLD})
        connection.execute(insert(Account), [{"name": name, "currency": "USD", "created_at": AT} for name in names])
        found = {row.name: row.id for row in connection.execute(select(Account.name, Account.id))}
        connection.execute(
            insert(Order),
            [
                {
                    "account_id": found[name], "company_id": company_id, "type": type_, "trade_date": day,
                    "executed_at": AT, "quantity": quantity, "price": 20, "fee": 0, "tax": 0, "currency": "USD",
                    "source": "test", "source_key": str(number), "created_at": AT, "deleted_at": deleted_at,
                }
                for number, (name, day, type_, quantity, deleted_at) in enumerate(TOLD)
            ],
        )  # fmt: skip
        return found

    return database.write_unit(fill)


def test_trades_before_a_day_come_as_one(database: Database, company_id: int, accounts: dict[str, int]) -> None:
    with database.read() as connection:
        found = load_trades(connection, [company_id], summed_before={company_id: date(2012, 8, 8)})[company_id]

    assert found == {
        accounts["one"]: [
            Trade(date(2012, 1, 5), 6 * SHARE),
            Trade(date(2012, 8, 8), 3 * SHARE),
            Trade(date(2012, 8, 9), -2 * SHARE),
        ],
        accounts["two"]: [Trade(date(2012, 8, 9), 7 * SHARE)],
        accounts["three"]: [Trade(date(2012, 4, 4), 0)],
    }
    assert all(type(trade.quantity) is int for trades in found.values() for trade in trades)


def test_nothing_is_summed_unless_asked(database: Database, company_id: int, accounts: dict[str, int]) -> None:
    with database.read() as connection:
        found = load_trades(connection, [company_id])[company_id]

    assert found[accounts["one"]] == [
        Trade(date(2012, 1, 5), 10 * SHARE),
        Trade(date(2012, 2, 6), -4 * SHARE),
        Trade(date(2012, 8, 8), 3 * SHARE),
        Trade(date(2012, 8, 9), -2 * SHARE),
    ]
