from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closingbell.domain.days import NO_DAYS, DaySet, StoredDays

dates = st.dates(date(1990, 1, 1), date(1990, 3, 31)) | st.dates(date(1900, 1, 1), date(2100, 1, 1))
sets = st.frozensets(dates, max_size=40)


def november(*numbers: int) -> DaySet:
    return DaySet.of(date(2012, 11, number) for number in numbers)


@given(sets, sets)
def test_sets_of_days_behave_as_sets_of_dates(left: frozenset[date], right: frozenset[date]) -> None:
    one, other = DaySet.of(left), DaySet.of(right)
    assert list(one) == sorted(left)
    assert set(one | other) == left | right
    assert set(one & other) == left & right
    assert set(one - other) == left - right
    assert (len(one), bool(one)) == (len(left), bool(left))
    assert (one == other) == (left == right)
    assert [day in one for day in sorted(right)] == [day in left for day in sorted(right)]


@given(sets, dates, dates)
def test_part_between_two_dates(days: frozenset[date], first: date, last: date) -> None:
    assert set(DaySet.of(days).between(first, last)) == {day for day in days if first <= day <= last}


@given(sets)
def test_bytes_come_back_as_the_same_set(days: frozenset[date]) -> None:
    assert DaySet.from_bytes(DaySet.of(days).to_bytes()) == DaySet.of(days)


def test_bytes_are_a_date_and_a_bit_for_each_day_from_it_on() -> None:
    # 2012-11-05 is day 734812, 0x0b365c; bits 0, 1 and 8.
    assert november(5, 6, 13).to_bytes() == bytes([0x0B, 0x36, 0x5C, 0b11, 0b1])
    assert NO_DAYS.to_bytes() == b""


def test_first_and_last_day() -> None:
    days = november(9, 5, 7)
    assert (days.first, days.last) == (date(2012, 11, 5), date(2012, 11, 9))


def test_equal_sets_made_in_different_ways_are_equal() -> None:
    assert november(5, 6, 7) - november(5) == november(6, 7)
    assert hash(november(5, 6) & november(6)) == hash(november(6))
    assert november(5) - november(5) == NO_DAYS
    assert november(5) != {date(2012, 11, 5)}
    assert repr(november(5)) == "DaySet.of([2012-11-05])"


def test_stored_days_are_pairs_in_order() -> None:
    pairs = [(date(2012, 11, 7), False), (date(2012, 11, 5), True)]
    stored = StoredDays.of(pairs)
    assert list(stored) == [(date(2012, 11, 5), True), (date(2012, 11, 7), False)]
    assert stored.settled == november(5)
    assert StoredDays.of(stored) is stored
    assert len(stored) == 2


@pytest.mark.parametrize(("first", "last", "left"), [(5, 6, (7, 9)), (6, 7, (5, 9)), (1, 30, ()), (8, 8, (5, 6, 7, 9))])
def test_days_outside_a_range(first: int, last: int, left: tuple[int, ...]) -> None:
    stored = StoredDays(november(5, 6, 7, 9), november(6, 9))
    outside = stored.without(date(2012, 11, first), date(2012, 11, last))
    assert outside.closes == november(*left)
    assert outside.provisional == november(6, 9) & november(*left)


def test_ten_years_of_sessions_are_some_five_hundred_bytes() -> None:
    days = DaySet.of(date(2003, 1, 1) + timedelta(days=n) for n in range(3650) if n % 7 < 5)
    assert len(days.to_bytes()) == 3 + 457
