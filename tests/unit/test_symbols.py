from __future__ import annotations

from datetime import date

import pytest

from closingbell.domain.symbols import DatedName, Names, ended_by_next, renamed

DAY = date(2022, 6, 9)
FB_THEN_META = [DatedName("FB", None, DAY), DatedName("META", DAY)]


def test_first_renaming_dates_both_names() -> None:
    assert renamed([], "FB", "META", DAY) == FB_THEN_META


def test_next_renaming_ends_the_last_name() -> None:
    later = date(2024, 1, 2)

    assert renamed(FB_THEN_META, "META", "FB", later) == [
        DatedName("FB", None, DAY),
        DatedName("META", DAY, later),
        DatedName("FB", later),
    ]


@pytest.mark.parametrize("day", [DAY, date(2022, 6, 8)])
def test_renaming_before_the_last_one_is_refused(day: date) -> None:
    with pytest.raises(ValueError, match="META is its name since 2022-06-09"):
        renamed(FB_THEN_META, "META", "X", day)


def test_name_holds_from_its_first_day_until_before_its_end() -> None:
    name = DatedName("META", DAY, date(2024, 1, 2))

    assert [name.holds_on(date(2022, 6, 8)), name.holds_on(DAY), name.holds_on(date(2024, 1, 1))] == [False, True, True]
    assert not name.holds_on(date(2024, 1, 2))


def test_our_own_names_are_spelled_by_date() -> None:
    names = Names({"META": FB_THEN_META})

    assert names.spell("yahoo", "META", date(2022, 6, 8)) == "FB"
    assert names.spell("yahoo", "META", DAY) == "META"
    assert names.spell("yahoo", "AAPL", DAY) == "AAPL"


def test_name_that_a_provider_uses_comes_before_our_own() -> None:
    theirs = {("stooq", "META"): ended_by_next([("FB.US", date(2012, 5, 18)), ("META.US", DAY)])}
    names = Names({"META": FB_THEN_META}, theirs)

    assert names.spell("stooq", "META", date(2022, 6, 8)) == "FB.US"
    assert names.spell("stooq", "META", DAY) == "META.US"
    assert names.spell("yahoo", "META", DAY) == "META"
    assert names.spell("stooq", "META", date(2012, 5, 17)) == "FB"
