from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from closingbell.domain.bars import Bar
from closingbell.domain.quotes import Expected, Prices, Refused, judge_quote
from closingbell.providers.base import Quote

CLOSE = datetime(2012, 11, 30, 21, 0, tzinfo=UTC)
OPEN_AFTER = datetime(2012, 12, 3, 14, 30, tzinfo=UTC)
BEFORE = Bar(date(2012, 11, 29), 590_000_000, 594_000_000, 585_000_000, 589_360_000, 18_000_000)
EXPECTED = Expected("USD", "USD", CLOSE, OPEN_AFTER, BEFORE)
QUOTE = Quote(
    symbol="AAPL",
    provider="yahoo",
    currency="USD",
    quote_unit="USD",
    traded_at=CLOSE,
    open=586_790_000,
    high=588_400_000,
    low=582_680_000,
    price=585_280_000,
    volume=13_975_700,
    previous_close=589_360_000,
)


def why(quote: Quote, expected: Expected = EXPECTED) -> str:
    judged = judge_quote(quote, expected)
    assert isinstance(judged, Refused)
    return judged.why


def test_quote_from_the_close_on_is_the_session() -> None:
    told = Prices(586_790_000, 588_400_000, 582_680_000, 585_280_000, 13_975_700)
    assert judge_quote(QUOTE, EXPECTED) == told
    assert judge_quote(replace(QUOTE, traded_at=datetime(2012, 11, 30, 21, 0, 1, tzinfo=UTC)), EXPECTED) == told
    assert judge_quote(replace(QUOTE, traded_at=datetime(2012, 12, 3, 14, 29, tzinfo=UTC)), EXPECTED) == told


@pytest.mark.parametrize(
    "traded_at",
    [
        datetime(2012, 11, 30, 20, 59, 59, tzinfo=UTC),
        datetime(2012, 11, 29, 21, 0, tzinfo=UTC),
        datetime(2012, 12, 3, 14, 30, tzinfo=UTC),
    ],
)
def test_quote_of_before_the_close_or_of_another_session_is_refused(traded_at: datetime) -> None:
    assert "the close was at 21:00 UTC" in why(replace(QUOTE, traded_at=traded_at))


def test_half_day_has_its_own_close() -> None:
    early = replace(EXPECTED, close_at=datetime(2012, 11, 30, 18, 0, tzinfo=UTC))
    assert isinstance(judge_quote(replace(QUOTE, traded_at=datetime(2012, 11, 30, 18, 0, tzinfo=UTC)), early), Prices)
    assert "2012-11-30 17:59:59" in why(replace(QUOTE, traded_at=datetime(2012, 11, 30, 17, 59, 59, tzinfo=UTC)), early)


def test_session_without_a_known_next_one_has_no_end() -> None:
    late = replace(QUOTE, traded_at=datetime(2012, 12, 3, 20, 0, tzinfo=UTC))
    assert isinstance(judge_quote(late, replace(EXPECTED, next_open=None)), Prices)


def test_quote_in_another_currency_or_unit_is_refused() -> None:
    assert why(replace(QUOTE, currency="EUR", quote_unit="EUR")) == "the quote is in EUR, the company in USD"
    pence = replace(EXPECTED, currency="GBP", quote_unit="GBp")
    assert why(replace(QUOTE, currency="GBP", quote_unit="GBP"), pence) == "the quote is in GBP, the company in GBp"


@pytest.mark.parametrize(
    "absent",
    [{"open": None}, {"high": None}, {"low": None}, {"price": 0}, {"volume": None}, {"volume": 0},
     {"previous_close": None}, {"previous_close": 0}],
)  # fmt: skip
def test_quote_that_lacks_something_is_refused(absent: dict[str, int | None]) -> None:
    assert why(replace(QUOTE, **absent)) == "the quote lacks a price or the volume"


def test_disagreement_about_the_session_before_puts_that_one_in_doubt() -> None:
    judged = judge_quote(replace(QUOTE, previous_close=589_350_000), EXPECTED)
    assert judged == Refused("the quote's previous close is 589.35, stored is 589.36", doubts_previous=True)


def test_two_recoveries_of_one_price_agree() -> None:
    # 2.5e-7 of 589.36 is 147 millionths.
    assert isinstance(judge_quote(replace(QUOTE, previous_close=589_360_147), EXPECTED), Prices)
    assert isinstance(judge_quote(replace(QUOTE, previous_close=589_360_148), EXPECTED), Refused)


def test_without_a_stored_close_before_it_a_quote_proves_nothing() -> None:
    assert why(QUOTE, replace(EXPECTED, previous=None)) == "no close of the session before is stored"


def test_quote_that_repeats_the_session_before_is_refused() -> None:
    _, open_, high, low, close, volume = BEFORE
    stale = replace(QUOTE, open=open_, high=high, low=low, price=close, volume=volume)
    assert why(stale) == "the quote repeats the session before"
    assert isinstance(judge_quote(replace(stale, volume=volume + 1), EXPECTED), Prices)


@pytest.mark.parametrize(
    "far",
    [{"price": 442_000_000}, {"price": 789_800_000, "high": 789_800_000}, {"high": 874_100_000},
     {"low": 392_000_000}, {"high": 58_840_000_000}],
)  # fmt: skip
def test_price_that_moved_far_is_looked_at_beside_its_neighbours(far: dict[str, int]) -> None:
    assert why(replace(QUOTE, **far)) == "the price moved far"
