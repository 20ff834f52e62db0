"""The ledger on every database: posted with the order, once, balanced, and reversed exactly."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

import closingbell
from closingbell.domain.ledger import Entry
from closingbell.domain.withholding import WithholdingRule
from closingbell.errors import UnbalancedEntriesError
from closingbell.models import LedgerEntry, Order
from closingbell.stores import books, ledger, orders
from closingbell.stores.database import Database
from closingbell.stores.upsert import table_of

NOW = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)

# A process that posts what is missing as soon as a file appears; spinning keeps the two together.
POST_WHEN_TOLD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from closingbell.stores import orders
from closingbell.stores.database import open_database
database = open_database(sys.argv[1])
with database.read():
    print("ready", flush=True)
while not Path(sys.argv[2]).exists():
    pass
print(orders.post_missing(database, now=datetime(2012, 11, 30, 21, 31, tzinfo=UTC)))
"""


def new(type_: str, day: str, key: str, **facts: Any) -> orders.NewOrder:
    given = {name: Decimal(facts.pop(name)) if name in facts else None for name in ("quantity", "price", "amount")}
    return orders.NewOrder(
        type=type_,
        symbol=facts.get("symbol", "IBM" if type_ in ("BUY", "SELL") else None),
        trade_date=date.fromisoformat(day),
        executed_at=datetime.fromisoformat(f"{day}T20:00:00+00:00"),
        fee=Decimal(facts.get("fee", 0)),
        currency=facts.get("currency", "USD"),
        source="test",
        source_key=key,
        **given,
    )


def store(database: Database, *lines: orders.NewOrder, account: str = "Ann", now: datetime = NOW) -> list[int]:
    return database.write_unit(lambda c: orders.store_orders(c, account, lines, symbols=[("IBM", "XNYS")], now=now))


def cash(database: Database, **when: Any) -> dict[str, Decimal]:
    with database.read() as connection:
        return {currency: amount for (_, _, currency), amount in ledger.load_balances(connection, **when).items()}


def entries(database: Database) -> list[Entry]:
    with database.read() as connection:
        return [entry for _, entry, _ in ledger.stream_entries(connection)]


def test_orders_are_posted_with_the_transaction_that_stores_them(database: Database) -> None:
    store(
        database,
        new("DEPOSIT", "2012-09-04", "a", amount="10000"),
        new("BUY", "2012-09-05", "b", quantity="10", price="195.50", fee="4.95"),
        new("DEPOSIT", "2012-09-05", "c", amount="500.00", currency="EUR"),
    )

    assert cash(database) == {"USD": Decimal("8040.05"), "EUR": Decimal("500")}
    assert cash(database, as_of=date(2012, 9, 4)) == {"USD": Decimal(10000)}
    with database.read() as connection:
        assert ledger.load_unbalanced(connection) == []


def test_order_that_cannot_be_posted_is_not_stored(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise UnbalancedEntriesError("for the test")

    monkeypatch.setattr(ledger, "store_entries", refuse)
    with pytest.raises(UnbalancedEntriesError):
        store(database, new("DEPOSIT", "2012-09-04", "a", amount="10000"))

    with database.read() as connection:
        assert connection.execute(select(table_of(Order))).all() == []


def test_same_orders_again_book_nothing(database: Database) -> None:
    deposit = new("DEPOSIT", "2012-09-04", "a", amount="10000")
    assert len(store(database, deposit)) == 1
    assert store(database, deposit, new("DEPOSIT", "2012-09-05", "b", amount="1")) != []
    assert store(database, deposit) == []

    assert cash(database) == {"USD": Decimal(10001)}


def test_deleted_order_is_reversed_exactly_and_once(database: Database) -> None:
    store(database, new("DEPOSIT", "2012-09-04", "a", amount="10000"))
    (bought,) = store(database, new("BUY", "2012-09-05", "b", quantity="10", price="195.50", fee="4.95"))
    later = NOW + timedelta(days=1)

    assert database.write_unit(lambda c: orders.store_deleted(c, bought, by="ann", now=later)) is True
    assert database.write_unit(lambda c: orders.store_deleted(c, bought, by="ann", now=later)) is False

    assert cash(database) == {"USD": Decimal(10000)}
    assert cash(database, as_of=date(2012, 9, 5), known_at=NOW) == {"USD": Decimal("8040.05")}
    booked = [e for e in entries(database) if e.order_id == bought]
    assert [(e.name, e.amount, e.value_date.day) for e in booked] == [
        ("Cash", -19_599_500, 5),
        ("Securities", 19_550_000, 5),
        ("Expense:Fee", 49_500, 5),
        ("Cash", 19_599_500, 5),
        ("Securities", -19_550_000, 5),
        ("Expense:Fee", -49_500, 5),
    ]


def test_in_a_closed_period_everything_is_dated_today(database: Database) -> None:
    (first,) = store(database, new("DEPOSIT", "2012-09-04", "a", amount="10000"))
    database.write_unit(lambda c: books.store_book_setting(c, "lock_date", "2012-10-31", by="ann", now=NOW))

    database.write_unit(lambda c: orders.store_deleted(c, first, by="ann", now=NOW))
    store(database, new("DEPOSIT", "2012-09-05", "b", amount="7"))

    assert cash(database, as_of=date(2012, 11, 29)) == {"USD": Decimal(10000)}
    assert cash(database, as_of=date(2012, 11, 30)) == {"USD": Decimal(7)}


def test_orders_written_past_us_are_posted_and_reversed_later(database: Database) -> None:
    (known,) = store(database, new("DEPOSIT", "2012-09-04", "a", amount="10000"))
    with database.write() as connection:
        account_id = orders.find_account(connection, "Ann")
        connection.execute(
            insert(Order).values(
                account_id=account_id, type="DEPOSIT", trade_date=date(2012, 9, 6), executed_at=NOW, created_at=NOW,
                amount=Decimal("12.34"), fee=Decimal(0), currency="USD", source="elsewhere", source_key="x",
            )
        )  # fmt: skip
        connection.execute(update(Order).where(Order.id == known).values(deleted_at=NOW))

    assert orders.post_missing(database, now=NOW) == 2
    assert orders.post_missing(database, now=NOW) == 0
    assert cash(database) == {"USD": Decimal("12.34")}


def test_two_processes_at_once_post_an_order_once(tables_url: str, database: Database, tmp_path: Path) -> None:
    store(database, *[new("DEPOSIT", "2012-09-04", str(n), amount="10") for n in range(30)])
    with database.write() as connection:
        account_id = orders.find_account(connection, "Ann")
        rows = [
            {
                "account_id": account_id, "type": "DEPOSIT", "trade_date": date(2012, 9, 6), "executed_at": NOW,
                "amount": Decimal(1), "fee": Decimal(0), "currency": "USD", "source": "elsewhere",
                "source_key": f"x{n}", "created_at": NOW,
            }
            for n in range(300)
        ]  # fmt: skip
        connection.execute(insert(Order), rows)
    gate = tmp_path / "go"
    command = [sys.executable, "-c", POST_WHEN_TOLD, tables_url, str(gate)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    gate.touch()
    told = [process.communicate(timeout=60)[0] for process in running]

    assert [process.returncode for process in running] == [0, 0]
    assert sum(int(count) for count in told) == 300
    assert cash(database) == {"USD": Decimal(600)}


def test_group_that_is_there_is_refused_and_nothing_of_it_stays(database: Database) -> None:
    store(database, new("DEPOSIT", "2012-09-04", "a", amount="10000"))
    there = entries(database)

    with pytest.raises(IntegrityError):
        database.write_unit(lambda c: ledger.store_entries(c, there, now=NOW))

    assert entries(database) == there


def test_many_entries_take_the_fast_path_and_are_as_strict(database: Database) -> None:
    store(database, new("DEPOSIT", "2012-09-04", "a", amount="1"))
    account = entries(database)[0].account_id
    many = [
        Entry(date(2012, 9, 5), f"test:{n}", line, account, name, "USD", amount, "TEST")
        for n in range(800)
        for line, (name, amount) in enumerate([("Cash", 10_000), ("Equity:Opening", -10_000)])
    ]
    database.write_unit(lambda c: ledger.store_entries(c, many, now=NOW))
    with pytest.raises(DBAPIError):
        database.write_unit(lambda c: ledger.store_entries(c, many, now=NOW))

    assert cash(database) == {"USD": Decimal(801)}


def test_unbalanced_group_is_refused(database: Database) -> None:
    store(database, new("DEPOSIT", "2012-09-04", "a", amount="1"))
    account = entries(database)[0].account_id
    half = [Entry(date(2012, 9, 5), "test:1", 0, account, "Cash", "USD", 10_000, "TEST")]

    with pytest.raises(UnbalancedEntriesError, match=r"test:1 is out by 1\.00 USD"):
        database.write_unit(lambda c: ledger.store_entries(c, half, now=NOW))


def test_balance_is_the_sum_of_entries_for_every_value_date_and_posting_time(database: Database) -> None:
    ids: list[int] = []
    for n, day in enumerate(["2012-09-04", "2012-09-10", "2012-09-05", "2012-10-01"]):
        ids += store(
            database,
            new("DEPOSIT", day, f"d{n}", amount="1000.01"),
            new("BUY", day, f"b{n}", quantity="3.3", price="101.013", fee="1", currency="EUR"),
            now=NOW + timedelta(hours=n),
        )
    for n, order_id in enumerate(ids[1::3]):
        when = NOW + timedelta(hours=10 + n)
        database.write_unit(lambda c, o=order_id, w=when: orders.store_deleted(c, o, by="ann", now=w))  # type: ignore[misc]
    with database.read() as connection:
        every = [(entry, posted_at) for _, entry, posted_at in ledger.stream_entries(connection)]

    for as_of in sorted({entry.value_date for entry, _ in every}):
        for known_at in sorted({posted_at for _, posted_at in every}):
            expected: dict[tuple[int, str, str], int] = defaultdict(int)
            for entry, posted_at in every:
                if entry.value_date <= as_of and posted_at <= known_at:
                    expected[entry.account_id, entry.name, entry.currency] += entry.amount
            with database.read() as connection:
                told = ledger.load_balances(connection, names=(), as_of=as_of, known_at=known_at)
            assert told == {key: Decimal(amount).scaleb(-4) for key, amount in expected.items()}


def test_no_code_changes_or_removes_entries() -> None:
    source = Path(closingbell.__file__).parent
    guilty = [
        file.name
        for file in source.rglob("*.py")
        if "migrations" not in file.parts
        for line in file.read_text(encoding="utf-8").splitlines()
        if "LedgerEntry" in line and ("update(" in line or "delete(" in line)
    ]
    assert guilty == []
    assert table_of(LedgerEntry).name == "ledger_entry"


def test_books_remember_settings_rates_and_exchange_rates(database: Database) -> None:
    rule = WithholdingRule("US", Decimal("0.15"), date(2012, 1, 1), residence="DE", action_type="DIVIDEND")
    with database.write() as connection:
        books.store_book_setting(connection, "pay_policy", "WAIT", by="ann", now=NOW)
        books.store_book_setting(connection, "lock_date", "2012-10-31", by="ann", now=NOW)
        books.store_book_setting(connection, "lock_date", "", by="ann", now=NOW)
        books.store_withholding_rule(connection, rule, now=NOW)
        books.store_withholding_rule(connection, rule, now=NOW)
        rates = [("USD", "EUR", date(2012, 9, 3), Decimal("0.7954")), ("USD", "EUR", date(2012, 9, 7), Decimal("0.8"))]
        books.store_fx_rates(connection, rates, provider="test", now=NOW)

    with database.read() as connection:
        assert books.load_book_settings(connection) == books.BookSettings(pay_policy="WAIT")
        assert books.load_withholding_rules(connection) == [rule]
        found = books.load_fx_rates(connection, [("USD", "EUR")], first=date(2012, 9, 6), last=date(2012, 9, 13))
        assert found.find("USD", "EUR", on=date(2012, 9, 6)) == Decimal("0.7954")
        assert found.find("USD", "EUR", on=date(2012, 9, 7)) == Decimal("0.8")
        assert found.find("USD", "EUR", on=date(2012, 9, 12)) == Decimal("0.8")
        assert found.find("USD", "EUR", on=date(2012, 9, 13)) is None
        assert found.find("USD", "EUR", on=date(2012, 9, 2)) is None
        assert found.find("EUR", "USD", on=date(2012, 9, 6)) is None
