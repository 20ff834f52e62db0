"""The audit finds nothing in books that were kept, and names what somebody changed behind them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from closingbell.models import CorporateActionRow, LedgerEntry, Order
from closingbell.stores.upsert import table_of
from tests.app_fixtures import House

ORDERS = "2012-09-04,DEPOSIT,,,100000,0,USD 2012-09-04,BUY,AAPL,20,675.00,4.95,USD 2012-11-16,SELL,AAPL,5,525,0,USD"


@pytest.fixture
def ann(house: House) -> House:
    """Books with orders, one of them deleted, prices, and a dividend that was paid; without triggers."""
    house.orders(ORDERS)
    house.command("orders", "delete", str(max(row.id for row in house.rows(Order))))
    house.run()
    assert house.command("run-dividend-processor").exit_code == 0
    return house


def found(house: House) -> dict[str, Any]:
    result = house.command("audit", "--format", "json")
    lines = {line["check"]: line["differences"] for line in json.loads(result.stdout)}
    # The tables of these tests are made without the triggers of the migrations.
    (missing,) = lines.pop("append-only")
    assert missing.startswith("the database would let entries be changed: ledger_entry_no_delete")
    assert result.exit_code == 1
    return {name: differences for name, differences in lines.items() if differences}


def change(house: House, statement: str) -> None:
    with house.context.database.write() as connection:
        assert connection.exec_driver_sql(statement).rowcount >= 1


def first_cash(house: House, **about: bool) -> int:
    row = table_of(LedgerEntry).c
    query = select(row.id).where(row.name == "Cash").order_by(row.id)
    query = query.where(row.payment_id.is_not(None) if about.get("paid") else row.order_id.is_not(None))
    with house.context.database.read() as connection:
        return int(connection.scalars(query).first() or 0)


def test_books_that_were_kept_are_right(ann: House) -> None:
    assert found(ann) == {}


def test_changed_entry_is_named_by_its_group_and_its_order(ann: House) -> None:
    entry = first_cash(ann)
    change(ann, f"UPDATE ledger_entry SET amount = amount + 10000 WHERE id = {entry}")

    differences = found(ann)

    assert set(differences) == {"balanced", "orders", "cash"}
    assert differences["balanced"][0].endswith("is out by 1.00 USD")
    assert "Cash 100001.00 USD" in differences["orders"][0]
    assert "and books Cash 100000.00 USD, Equity:Deposits -100000.00 USD" in differences["orders"][0]


def test_changed_payment_is_named(ann: House) -> None:
    change(ann, f"UPDATE ledger_entry SET amount = amount + 1 WHERE id = {first_cash(ann, paid=True)}")

    differences = found(ann)

    assert set(differences) == {"balanced", "payments", "cash"}
    assert "Cash 53.0001 USD" in differences["payments"][0]


def test_changed_order_is_named(ann: House) -> None:
    change(ann, "UPDATE orders SET quantity = quantity * 2 WHERE type = 'BUY'")

    (difference,) = found(ann)["orders"]

    assert "Securities 13500.00 USD in the ledger, and books Cash -27004.95 USD" in difference


def test_entry_of_nobody_is_named(ann: House) -> None:
    change(
        ann,
        "INSERT INTO ledger_entry (value_date, group_key, line, account_id, name, currency, amount, kind, posted_at)"
        " SELECT value_date, 'gift', 0, account_id, name, currency, amount, kind, posted_at FROM ledger_entry"
        f" WHERE id = {first_cash(ann)}",
    )

    assert found(ann)["orphans"] == ["the group gift (1 entry) belongs to no order and no payment"]


def test_entry_with_the_number_of_a_payment_and_a_key_of_its_own_is_named(ann: House) -> None:
    change(
        ann,
        "INSERT INTO ledger_entry (value_date, group_key, line, account_id, name, currency, amount, kind, posted_at,"
        " payment_id) SELECT value_date, 'gift', 0, account_id, name, currency, amount, kind, posted_at, payment_id"
        f" FROM ledger_entry WHERE id = {first_cash(ann, paid=True)}",
    )

    assert found(ann)["orphans"] == ["the group gift (1 entry) belongs to no order and no payment"]


def test_entry_under_the_key_of_a_payment_is_counted_whatever_its_number(ann: House) -> None:
    change(
        ann,
        "INSERT INTO ledger_entry (value_date, group_key, line, account_id, name, currency, amount, kind, posted_at)"
        " SELECT value_date, group_key, 9, account_id, name, currency, amount, kind, posted_at FROM ledger_entry"
        f" WHERE id = {first_cash(ann, paid=True)}",
    )

    (difference,) = found(ann)["payments"]
    assert "Cash 106.00 USD, Receivable -53.00 USD in the ledger, and books Cash 53.00 USD" in difference


def test_entries_and_payments_of_another_company_are_named(ann: House) -> None:
    change(ann, f"UPDATE ledger_entry SET company_id = 999 WHERE id = {first_cash(ann)}")
    change(
        ann,
        "UPDATE dividend_payment SET company_id = 998 WHERE leg = 'ACCRUAL'",
    )

    differences = found(ann)["orphans"]

    assert any(" is of company 999, which is not the one that it stands for" in one for one in differences)
    assert any(
        one.startswith("payment ") and " is of company 998, its corporate action of company " in one
        for one in differences
    )


def test_order_that_somebody_deleted_behind_the_books_is_named(ann: House) -> None:
    change(ann, "UPDATE orders SET deleted_at = created_at WHERE type = 'BUY'")

    (waiting,) = found(ann)["orders"]

    assert waiting.endswith("waits to be reversed: run the dividend processor")


def test_changed_summary_of_bars_is_named(ann: House) -> None:
    change(ann, "UPDATE price_summary SET close = close + 1")

    assert found(ann) == {"summaries": ["AAPL: the kept summary of its bars is not what they come to"]}
    change(ann, "UPDATE price_summary SET close = close - 1")
    assert found(ann) == {}


def test_cash_that_no_order_and_no_payment_moved_is_named(ann: House) -> None:
    """100,000 came in, 13,504.95 bought shares; the sale was deleted, and 20 shares were paid 2.65 each."""
    change(
        ann,
        "INSERT INTO ledger_entry (value_date, group_key, line, account_id, name, currency, amount, kind, posted_at,"
        " order_id) SELECT value_date, 'gift', 0, account_id, name, currency, 10000, kind, posted_at, order_id"
        f" FROM ledger_entry WHERE id = {first_cash(ann)}",
    )

    (difference,) = found(ann)["cash"]
    assert difference.endswith("come to 86549.05 USD of cash, its orders and payments to 86548.05")


def test_run_that_no_total_counts_is_named(ann: House) -> None:
    change(ann, "UPDATE run_total SET amount = 0 WHERE kind = 'runs' AND job_name = 'dividend_processor'")

    assert found(ann) == {
        "run totals": ["dividend_processor: 1 runs ended SUCCESS and are there, 0 are counted"],
    }


def test_changed_state_and_day_are_named(ann: House) -> None:
    change(ann, "UPDATE dividend_state SET state = 'EX'")
    change(ann, "UPDATE dividend_progress SET next_date = '2031-01-01'")

    dividend = ann.rows(CorporateActionRow)[0].id
    assert found(ann) == {
        "states": [
            f"AAPL CASH of 2012-11-07 (corporate action {dividend}) is kept as EX with pay date 2012-11-15 CONFIRMED, "
            "and comes to PAID with pay date 2012-11-15 CONFIRMED",
            "AAPL is kept as due on 2031-01-01, and comes to be due never",
        ]
    }
    # What a run looks at anyway is its business.
    change(ann, "UPDATE dividend_progress SET next_date = '2012-11-30'")
    assert found(ann) == {}
