from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closingbell.domain.actions import PayDateStatus
from closingbell.domain.dividends import converted, dividend_amounts, reinvest
from closingbell.domain.entitlements import ONE_SHARE, Trade
from closingbell.domain.pay_dates import PayDate
from closingbell.domain.payment_postings import group_key, postings_of
from closingbell.domain.payments import (
    BookedLeg,
    CompanyTerms,
    Dividend,
    EventState,
    Frame,
    Holder,
    HolderBooks,
    Leg,
    Rates,
    state_of,
)
from closingbell.domain.reconcile import reconcile
from closingbell.domain.rounding import Rounding, round_ratio

EX, PAY = date(2024, 3, 14), date(2024, 4, 2)
RATE = 10**10
HALF_UP = Rounding.HALF_UP

quantities = st.integers(-(10**15), 10**15)
per_share = st.integers(1, 10**12)
rates = st.integers(0, RATE)


def dividend(**changes: object) -> Dividend:
    made = Dividend(1, "CASH", EX, RATE // 2, "USD", PayDate(PAY, PayDateStatus.CONFIRMED))
    return made._replace(**changes)  # type: ignore[arg-type]


def frame(today: date, *, fx: int | None = None, rate: int = 0) -> Frame:
    return Frame(today, Rates(lambda *_: rate, lambda *_: (fx, PAY) if fx else None, lambda _: None))


def legs(holder: Holder, shares: int, today: date, **how: int) -> list[BookedLeg]:
    trades = [Trade(date(2024, 1, 10), shares * ONE_SHARE)]
    return reconcile(holder, trades, CompanyTerms(1, "USD", (dividend(),)), HolderBooks(), frame(today, **how)).bookings


@pytest.mark.parametrize(("rounding", "expected"), [(Rounding.HALF_UP, 3), (Rounding.HALF_EVEN, 2), (Rounding.DOWN, 2)])
def test_half_is_rounded_by_its_rule_and_the_same_below_zero(rounding: Rounding, expected: int) -> None:
    assert round_ratio(5, 2, rounding) == expected
    assert round_ratio(-5, 2, rounding) == -expected


@given(quantities, per_share, rates)
def test_gross_less_tax_is_net_and_a_short_cancels_a_long(quantity: int, amount: int, rate: int) -> None:
    found = dividend_amounts(quantity, amount, "USD", rate, HALF_UP)
    assert found.gross - found.tax == found.net
    assert abs(found.gross * 10**16 - quantity * amount) <= 50 * 10**16
    assert found.gross % 100 == 0
    if quantity < 0:
        assert found.tax == 0
        assert found.gross == -dividend_amounts(-quantity, amount, "USD", rate, HALF_UP).gross
    other = converted(found, 9213 * 10**6, "JPY", HALF_UP)
    assert other.gross - other.tax == other.net
    assert other.gross % 10_000 == 0


@given(st.integers(0, 10**12), st.integers(1, 10**9), st.integers(0, 10))
def test_reinvested_costs_no_more_than_there_is(net: int, price: int, decimals: int) -> None:
    net -= net % 100
    found = reinvest(net, price, decimals=decimals, currency="USD", rounding=HALF_UP)
    assert found.cost + found.residual == net
    assert found.residual >= 0
    assert found.shares % 10 ** (10 - decimals) == 0


def test_owed_from_the_ex_date_and_paid_on_the_pay_date() -> None:
    holder = Holder(7, "USD")
    assert legs(holder, 10, date(2024, 3, 13)) == []
    [owed] = legs(holder, 10, EX)
    assert postings_of(owed) == [("Receivable", "USD", 50_000), ("Income:Dividend:CASH", "USD", -50_000)]
    assert [leg.leg for leg in legs(holder, 10, PAY)] == [Leg.ACCRUAL, Leg.PAYMENT]


def test_tax_is_written_down_when_it_is_owed() -> None:
    owed, paid = legs(Holder(7, "USD"), 10, PAY, rate=RATE * 15 // 100)
    assert postings_of(owed) == [
        ("Receivable", "USD", 42_500),
        ("WithholdingTax", "USD", 7_500),
        ("Income:Dividend:CASH", "USD", -50_000),
    ]
    assert postings_of(paid) == [("Cash", "USD", 42_500), ("Receivable", "USD", -42_500)]


def test_short_position_pays_in_lieu() -> None:
    owed, paid = legs(Holder(7, "USD"), -10, PAY, rate=RATE)
    assert postings_of(owed) == [("Expense:PaymentInLieu", "USD", 50_000), ("Payable", "USD", -50_000)]
    assert postings_of(paid) == [("Cash", "USD", -50_000), ("Payable", "USD", 50_000)]


def test_account_of_another_currency_passes_conversion() -> None:
    _, paid = legs(Holder(7, "EUR"), 10, PAY, fx=9200 * 10**6)
    assert postings_of(paid) == [
        ("Cash", "EUR", 46_000),
        ("Receivable", "USD", -50_000),
        ("Conversion", "USD", 50_000),
        ("Conversion", "EUR", -46_000),
    ]
    assert group_key(paid) == "d1:7:PAYMENT1"


@given(st.integers(-(10**6), 10**6), st.integers(1, 3 * RATE), rates, st.booleans(), st.booleans())
def test_every_leg_balances_in_each_currency(
    shares: int, fx: int, rate: int, is_foreign: bool, is_capital: bool
) -> None:
    company = CompanyTerms(1, "USD", (dividend(kind="RETURN_OF_CAPITAL" if is_capital else "CASH"),))
    holder = Holder(7, "EUR" if is_foreign else "USD")
    trades = [Trade(date(2024, 1, 10), shares * ONE_SHARE)]
    changes = reconcile(holder, trades, company, HolderBooks(), frame(PAY, fx=fx, rate=rate))
    for leg in changes.bookings:
        sums: Counter[str] = Counter()
        for _, currency, amount in postings_of(leg):
            sums[currency] += amount
        assert set(sums.values()) <= {0}


def test_state_follows_dates_and_what_was_paid() -> None:
    said = {
        day: state_of(dividend(), day, is_unpaid=False, is_corrected=False)
        for day in (date(2024, 3, 13), EX, date(2024, 4, 1), PAY)
    }
    assert list(said.values()) == [EventState.ANNOUNCED, EventState.EX, EventState.EX, EventState.PAID]
    assert state_of(dividend(), PAY, is_unpaid=True, is_corrected=True) is EventState.PAYABLE
    assert state_of(dividend(), PAY, is_unpaid=False, is_corrected=True) is EventState.CORRECTED
    assert state_of(dividend(is_cancelled=True), PAY, is_unpaid=True, is_corrected=True) is EventState.CANCELLED


def test_what_is_reinvested_after_the_day_that_the_books_are_made_for_is_not_bought() -> None:
    """Paid on a Saturday's eve: the exchange rests, and the shares are bought on the day after."""
    next_day = PAY + timedelta(days=1)
    rates = Rates(lambda *_: 0, lambda *_: None, lambda _: 40_000_000, lambda _: next_day)
    holder, trades = Holder(7, "USD", is_reinvesting=True), [Trade(date(2024, 1, 10), 10 * ONE_SHARE)]

    def booked(as_of: date) -> list[Leg]:
        frame = Frame(as_of, rates, is_past=True)
        terms = CompanyTerms(1, "USD", (dividend(),))
        return [leg.leg for leg in reconcile(holder, trades, terms, HolderBooks(), frame).bookings]

    assert booked(PAY) == [Leg.ACCRUAL, Leg.PAYMENT]
    assert booked(next_day) == [Leg.ACCRUAL, Leg.PAYMENT, Leg.DRIP]
