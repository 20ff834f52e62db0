from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closingbell.domain.entitlements import (
    ONE_SHARE,
    FractionPolicy,
    PositionWalk,
    Split,
    Trade,
    entitled_quantity,
    split_quantity,
)

MARCH = [date(2024, 3, day) for day in range(1, 32)]


def shares(text: str) -> int:
    return int(Fraction(text) * ONE_SHARE)


def test_trade_of_the_day_before_counts_and_of_the_ex_date_does_not() -> None:
    trades = [Trade(date(2024, 3, 13), shares("4")), Trade(date(2024, 3, 14), shares("3"))]
    assert entitled_quantity(trades, [], date(2024, 3, 14)) == shares("4")
    assert entitled_quantity(trades, [], date(2024, 3, 15)) == shares("7")


def test_split_of_the_ex_date_is_not_applied_and_an_earlier_one_is() -> None:
    trades = [Trade(date(2024, 3, 1), shares("10"))]
    split = Split(date(2024, 3, 14), 4, 1)
    assert entitled_quantity(trades, [split], date(2024, 3, 14)) == shares("10")
    assert entitled_quantity(trades, [split], date(2024, 3, 15)) == shares("40")


def test_trade_on_a_splits_day_is_in_new_shares() -> None:
    trades = [Trade(date(2024, 3, 1), shares("10")), Trade(date(2024, 3, 5), shares("1"))]
    assert entitled_quantity(trades, [Split(date(2024, 3, 5), 2, 1)], date(2024, 3, 20)) == shares("21")


def test_fraction_is_cut_toward_zero_for_shorts_too() -> None:
    half = Fraction(1, 8)
    assert split_quantity(shares("100"), half, FractionPolicy.CASH_IN_LIEU)[1] == shares("12")
    assert split_quantity(-shares("100"), half, FractionPolicy.CASH_IN_LIEU)[1] == -shares("12")
    assert split_quantity(-shares("100"), half, FractionPolicy.ROUND_UP)[1] == -shares("13")
    assert split_quantity(shares("100"), half, FractionPolicy.ROUND_DOWN)[1] == shares("12")
    assert split_quantity(shares("100"), half, FractionPolicy.KEEP)[1] == shares("12.5")


@pytest.mark.parametrize("ratio", [Fraction(0), Fraction(-2)])
def test_split_of_nothing_or_less_is_refused(ratio: Fraction) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        split_quantity(100, ratio, FractionPolicy.KEEP)


def test_walk_takes_a_trade_that_it_led_to() -> None:
    walk = PositionWalk([Trade(date(2024, 3, 1), shares("10"))], [], FractionPolicy.KEEP)
    assert walk.advance(date(2024, 3, 10)) == shares("10")
    walk.add(Trade(date(2024, 3, 20), shares("0.5")))
    assert walk.advance(date(2024, 3, 20)) == shares("10")
    assert walk.advance(date(2024, 3, 21)) == shares("10.5")


@given(st.integers(-(10**14), 10**14), st.integers(1, 50), st.integers(1, 50))
def test_split_and_its_opposite_restore_the_quantity(quantity: int, new: int, old: int) -> None:
    splits = [Split(date(2024, 3, 5), new, old), Split(date(2024, 3, 6), old, new)]
    assert entitled_quantity([Trade(date(2024, 3, 1), quantity)], splits, date(2024, 3, 20)) == quantity


@given(
    st.lists(st.tuples(st.sampled_from(MARCH), st.integers(-(10**12), 10**12)), max_size=8),
    st.sampled_from(MARCH),
    st.integers(1, 9),
)
def test_entitlement_is_the_sum_of_what_each_trade_brings(
    orders: list[tuple[date, int]], ex_date: date, new: int
) -> None:
    trades, splits = [Trade(*order) for order in orders], [Split(date(2024, 3, 11), new, 1)]
    alone = sum(entitled_quantity([trade], splits, ex_date) for trade in trades)
    assert entitled_quantity(trades, splits, ex_date) == alone
