from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from closingbell.domain.ledger import BookableOrder, Entry, entries_of, gross_of, reversed_entries, unbalanced

DAY = date(2012, 9, 4)


def order(type_: str, **facts: Any) -> BookableOrder:
    """An order in USD; quantities and prices in whole units, money in cents."""
    given = {name: facts.pop(name, None) for name in ("quantity", "price", "amount", "counter_amount")}
    scaled = {
        "quantity": None if given["quantity"] is None else given["quantity"] * 10**10,
        "price": None if given["price"] is None else given["price"] * 10**6,
        "amount": None if given["amount"] is None else given["amount"] * 100,
        "counter_amount": None if given["counter_amount"] is None else given["counter_amount"] * 100,
    }
    rest = {"company_id": 7, "fee": 0, "tax": 0, "currency": "USD", "counter_currency": None, **facts}
    rest["fee"], rest["tax"] = rest["fee"] * 100, rest["tax"] * 100
    return BookableOrder(id=3, account_id=2, type=type_, trade_date=DAY, **scaled, **rest)


def booked(one: BookableOrder) -> dict[str, int]:
    """What an order books, in cents."""
    entries = entries_of(one, value_date=DAY)
    assert unbalanced(entries) == []
    return {f"{e.name} {e.currency}": e.amount // 100 for e in entries}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (
            order("BUY", quantity=20, price=675, fee=495),
            {"Cash USD": -1350495, "Securities USD": 1350000, "Expense:Fee USD": 495},
        ),
        (
            order("SELL", quantity=5, price=525, fee=495, tax=1000),
            {"Cash USD": 261005, "Securities USD": -262500, "Expense:Fee USD": 495, "Expense:Tax USD": 1000},
        ),
        (order("BUY", quantity=20, price=675, amount=1350001), {"Cash USD": -1350001, "Securities USD": 1350001}),
        (
            order("DEPOSIT", amount=10000, fee=150),
            {"Cash USD": 9850, "Equity:Deposits USD": -10000, "Expense:Fee USD": 150},
        ),
        (order("WITHDRAWAL", amount=10000), {"Cash USD": -10000, "Equity:Deposits USD": 10000}),
        (
            order("DIVIDEND", amount=10000, fee=1000, tax=1100),
            {
                "Cash USD": 7900,
                "WithholdingTax USD": 1100,
                "Income:Dividend:CASH USD": -10000,
                "Expense:Fee USD": 1000,
            },
        ),
        (order("CAPITAL_GAIN", amount=500), {"Cash USD": 500, "Income:Dividend:CAP_GAIN USD": -500}),
        (order("CAPITAL_RETURN", amount=500), {"Cash USD": 500, "Securities USD": -500}),
        (order("TRANSFER_IN", quantity=3, price=10), {"Securities USD": 3000, "Equity:Transfers USD": -3000}),
        (order("TRANSFER_OUT", quantity=3, price=10), {"Securities USD": -3000, "Equity:Transfers USD": 3000}),
        (order("TRANSFER_IN", quantity=3), {}),
        (order("COST_CHANGE", amount=-700), {"Securities USD": -700, "Equity:Transfers USD": 700}),
        (
            order("INTEREST", amount=100, tax=25),
            {"Cash USD": 75, "Income:Interest USD": -100, "Expense:Tax USD": 25},
        ),
        (order("INTEREST", amount=-100), {"Cash USD": -100, "Income:Interest USD": 100}),
        (order("FEE", amount=300), {"Cash USD": -300, "Expense:Fee USD": 300}),
        (order("TAX", amount=-300), {"Cash USD": 300, "Expense:Tax USD": -300}),
        (
            order("CONVERSION", amount=10000, counter_amount=9213, counter_currency="EUR", fee=200),
            {
                "Cash USD": -10200,
                "Conversion USD": 10000,
                "Cash EUR": 9213,
                "Conversion EUR": -9213,
                "Expense:Fee USD": 200,
            },
        ),
    ],
    ids=lambda value: value.type if isinstance(value, BookableOrder) else "",
)
def test_order_books(one: BookableOrder, expected: dict[str, int]) -> None:
    assert booked(one) == expected


def test_gross_is_rounded_once_to_the_currencys_coin() -> None:
    third = order("BUY", currency="USD")._replace(quantity=3_333_333_333, price=10_000_000)
    assert gross_of(third) == 33_300
    assert gross_of(third._replace(currency="JPY")) == 30_000
    assert gross_of(third._replace(currency="KWD")) == 33_330


def test_entries_carry_what_they_are_about() -> None:
    first, _ = entries_of(order("BUY", quantity=1, price=2), value_date=date(2013, 1, 2))
    assert first == Entry(date(2013, 1, 2), "order:3", 0, 2, "Cash", "USD", -20_000, "BUY", 7, 3, None)


def test_reversal_is_the_exact_negative_under_a_key_of_its_own() -> None:
    entries = entries_of(order("BUY", quantity=20, price=675, fee=495), value_date=DAY)
    back = reversed_entries(entries)
    assert [e.amount for e in back] == [135_049_500, -135_000_000, -49_500]
    assert {(e.group_key, e.value_date) for e in back} == {("order:3:reversal", DAY)}
    assert reversed_entries(entries, value_date=date(2013, 1, 2))[0].value_date == date(2013, 1, 2)


def test_group_that_does_not_sum_to_zero_is_named() -> None:
    entries = entries_of(order("BUY", quantity=20, price=675), value_date=DAY)
    assert unbalanced(entries[:1]) == ["the group order:3 is out by -13500.00 USD"]
