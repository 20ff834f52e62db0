"""The ledger has no index by payment: whoever looks a payment's entries up does so by the keys of their groups."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, select

from closingbell.domain.ledger import Entry
from closingbell.models import DividendPayment, LedgerEntry
from closingbell.queries.payments import explain_payment
from closingbell.stores import ledger
from closingbell.stores.database import Database
from closingbell.stores.upsert import table_of
from tests.dividend_desk import Desk

NOW = datetime(2024, 4, 2, 21, tzinfo=UTC)
# What each database says of a look at every row of the ledger, and of the unique key of group and line.
EVERY_ROW = {"sqlite": "SCAN ledger_entry", "mysql": "ledger_entry ALL", "postgresql": "Seq Scan on ledger_entry"}
BY_KEY = {
    "sqlite": "USING INDEX sqlite_autoindex_ledger_entry_1 (group_key=?)",
    "mysql": "uq_ledger_entry_group_key_line",
    "postgresql": "uq_ledger_entry_group_key_line",
}


@pytest.fixture
def paid(database: Database, tmp_path: Path) -> Desk:
    """An account that was paid a dividend of 0.50 for 10 shares, among many other groups of entries."""
    desk = Desk(database, tmp_path)
    given = {"accounts": [{"id": "A", "currency": "USD"}], "instruments": [{"symbol": "XX"}], "steps": []}
    desk.set_up(given)
    desk.trade("A", "XX", "2024-01-10", "10")
    desk.carry_out(
        {"do": "event", "id": "e1", "symbol": "XX", "ex_date": "2024-03-14", "amount": "0.50", "pay_date": "2024-04-02"}
    )
    desk.run("2024-04-02")
    many = [
        Entry(date(2023, 9, 5), f"other:{n}", line, desk.accounts["A"], "Cash", "USD", amount, "TEST")
        for n in range(2_000)
        for line, amount in enumerate([1, -1])
    ]
    database.write_unit(lambda connection: ledger.store_entries(connection, many, now=NOW))
    with database.write() as connection:
        if database.dialect != "sqlite":
            table = "TABLE " if database.dialect == "mysql" else ""
            connection.exec_driver_sql(f"ANALYZE {table}ledger_entry")
    return desk


def plans_of(database: Database, work: Callable[[], object]) -> list[str]:
    """How the database finds entries in each statement that ``work`` sends about them."""
    sent: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "FROM ledger_entry" in statement:
            sent.append((statement[statement.index("SELECT") :], parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    with database.read() as connection:
        return [_plan(connection, statement, parameters) for statement, parameters in sent]


def _plan(connection: Connection, statement: str, parameters: Any) -> str:
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    rows = connection.exec_driver_sql(f"{explain} {statement}", parameters).all()
    if connection.dialect.name == "mysql":
        return "\n".join(f"{row.table} {row.type} {row.key}" for row in rows)
    return "\n".join(str(row[-1]) for row in rows)


def assert_by_key(database: Database, plans: list[str]) -> None:
    assert plans != []
    for plan in plans:
        assert EVERY_ROW[database.dialect] not in plan
        assert BY_KEY[database.dialect] in plan


def payment_id(desk: Desk) -> int:
    return next(int(row.id) for row in desk.rows(DividendPayment) if row.leg == "PAYMENT")


def test_explaining_a_payment_looks_its_entries_up(paid: Desk) -> None:
    assert_by_key(paid.database, plans_of(paid.database, lambda: explain_payment(paid.database, payment_id(paid))))


def test_taking_a_payment_back_looks_its_entries_up(paid: Desk) -> None:
    number = payment_id(paid)
    paid.change_action("e1", amount=Decimal("0.55"))

    plans = plans_of(paid.database, lambda: paid.run("2024-04-03"))

    assert_by_key(paid.database, [plan for plan in plans if "dividend_payment" in plan])
    entries = explain_payment(paid.database, number).entries
    assert [(one.name, one.amount) for one in entries] == [
        ("Cash", Decimal("5.00")),
        ("Receivable", Decimal("-5.00")),
        ("Cash", Decimal("-5.00")),
        ("Receivable", Decimal("5.00")),
    ]


def test_audit_looks_up_what_payments_booked(paid: Desk) -> None:
    with paid.database.read() as connection:
        key = connection.scalar(select(table_of(LedgerEntry).c.group_key).where(LedgerEntry.payment_id.is_not(None)))
    keys = [str(key), f"{key}:reversal"]

    def look() -> None:
        with paid.database.read() as connection:
            assert len(ledger.load_entries(connection, group_keys=keys)) == 2

    assert_by_key(paid.database, plans_of(paid.database, look))
