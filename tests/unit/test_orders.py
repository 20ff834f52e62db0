from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from closingbell.domain.entitlements import ONE_SHARE
from closingbell.domain.orders import OrderDraft, check_draft
from closingbell.domain.positions import lowest_position

TODAY = date(2012, 11, 30)
NUMBERS = ("quantity", "price", "amount", "fee", "tax", "counter_amount")


def problems(type_: str, **facts: Any) -> list[str]:
    given = {name: Decimal(facts.pop(name)) for name in NUMBERS if name in facts}
    draft = OrderDraft(type=type_, **{"trade_date": date(2012, 9, 4), "currency": "USD", **facts, **given})
    return check_draft(draft, today=TODAY)


@pytest.mark.parametrize(
    ("type_", "facts"),
    [
        ("BUY", {"symbol": "AAPL", "quantity": "1", "price": "0"}),
        ("SELL", {"symbol": "VOD.L", "quantity": "0.5", "amount": "10.25", "fee": "1", "tax": "2"}),
        ("TRANSFER_IN", {"symbol": "AAPL", "quantity": "1"}),
        ("TRANSFER_OUT", {"symbol": "AAPL", "quantity": "1", "price": "3"}),
        ("DEPOSIT", {"amount": "100"}),
        ("DIVIDEND", {"symbol": "AAPL", "amount": "100", "tax": "15"}),
        ("DIVIDEND", {"symbol": "AAPL", "quantity": "10", "price": "2.65"}),
        ("CAPITAL_RETURN", {"symbol": "AAPL", "amount": "100"}),
        ("INTEREST", {"amount": "-3"}),
        ("FEE", {"amount": "3", "symbol": "AAPL"}),
        ("COST_CHANGE", {"symbol": "AAPL", "amount": "-3"}),
        ("CONVERSION", {"amount": "100", "counter_amount": "92.13", "counter_currency": "EUR"}),
    ],
)
def test_sane_order_has_no_problem(type_: str, facts: dict[str, Any]) -> None:
    assert problems(type_, **facts) == []


@pytest.mark.parametrize(
    ("type_", "facts", "said"),
    [
        ("GIFT", {}, "type 'GIFT' is not one of BUY, SELL"),
        ("BUY", {"quantity": "1", "price": "1"}, "name its symbol"),
        ("BUY", {"symbol": "AAPL", "quantity": "0", "price": "1"}, "quantity must be above zero"),
        ("BUY", {"symbol": "AAPL", "quantity": "1"}, "name the price of a share, or the amount"),
        ("BUY", {"symbol": "AAPL", "quantity": "1", "price": "-1"}, "price must not be negative"),
        ("BUY", {"symbol": "aapl", "quantity": "1", "price": "1"}, "is not a symbol"),
        ("BUY", {"symbol": "AAPL", "quantity": "1e9", "price": "1"}, "quantity: 1E+9 is too large"),
        ("BUY", {"symbol": "AAPL", "quantity": "1", "price": "0.0000001"}, "more than 6 decimals"),
        ("BUY", {"symbol": "AAPL", "quantity": "NaN", "price": "1"}, "is not a number that can be stored"),
        ("DEPOSIT", {"symbol": "AAPL", "amount": "1"}, "leave the symbol out"),
        ("DEPOSIT", {"amount": "-1"}, "the amount must be above zero"),
        ("DEPOSIT", {}, "name the amount"),
        ("DEPOSIT", {"amount": "1", "currency": "usd"}, "is not three letters"),
        ("DEPOSIT", {"amount": "1", "trade_date": date(2012, 12, 1)}, "lies in the future"),
        ("DEPOSIT", {"amount": "1", "trade_date": date(1949, 12, 31)}, "lies before 1950-01-01"),
        ("DEPOSIT", {"amount": "1", "quantity": "1"}, "neither quantity nor price"),
        ("DEPOSIT", {"amount": "1", "fee": "-1"}, "fee must not be negative"),
        ("INTEREST", {"amount": "0"}, "must not be zero"),
        ("CONVERSION", {"amount": "1"}, "in another currency"),
        ("DEPOSIT", {"amount": "1", "counter_amount": "1"}, "only a CONVERSION"),
    ],
)
def test_what_is_wrong_with_an_order_is_said(type_: str, facts: dict[str, Any], said: str) -> None:
    assert said in "; ".join(problems(type_, **facts))


def test_lowest_position_counts_days_by_their_end_and_splits_before_trades() -> None:
    trades = [(date(2012, 1, 2), 10 * ONE_SHARE), (date(2012, 1, 3), -20 * ONE_SHARE)]

    assert lowest_position(trades, {date(2012, 1, 3): Fraction(2)}) == (0, None)
    assert lowest_position(trades, {}) == (-10 * ONE_SHARE, date(2012, 1, 3))
    same_day = [(date(2012, 1, 2), -5), (date(2012, 1, 2), 5)]
    assert lowest_position(same_day, {}) == (0, None)
