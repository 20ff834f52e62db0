from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closingbell.domain.planning import (
    CompanyState,
    SessionList,
    SessionTimes,
    is_history_due,
    is_reread_due,
    next_ask_at,
    plan_actions,
    plan_companies,
    plan_company,
    plan_reread,
    reread_order,
    settled_until,
)


def sessions(*days: int, now: datetime | None = None) -> SessionList:
    """Sessions of November 2012, 14:30 to 21:00 UTC; the clock at the 9th, 21:31 UTC."""
    times = [
        SessionTimes(
            date(2012, 11, day),
            datetime(2012, 11, day, 14, 30, tzinfo=UTC),
            datetime(2012, 11, day, 21, 0, tzinfo=UTC),
        )
        for day in days
    ]
    return SessionList("XNYS", times, now=now or datetime(2012, 11, 9, 21, 31, tzinfo=UTC))


WEEK = sessions(5, 6, 7, 8, 9, 12)


def days(*numbers: int) -> list[date]:
    return [date(2012, 11, number) for number in numbers]


def state(**changes: object) -> CompanyState:
    values: dict[str, object] = {"company_id": 1, "symbol": "AAPL", "mic": "XNYS", "needed_from": date(2012, 11, 5)}
    return CompanyState(**(values | changes))  # type: ignore[arg-type]


def test_a_company_without_bars_wants_every_closed_session() -> None:
    item = plan_company(state(), WEEK)
    assert item is not None
    assert list(item.wanted) == days(5, 6, 7, 8, 9)
    assert item.missing_count == 5


def test_a_session_that_has_not_closed_is_not_wanted() -> None:
    during = sessions(5, 6, now=datetime(2012, 11, 6, 18, 0, tzinfo=UTC))
    item = plan_company(state(), during)
    assert item is not None
    assert list(item.wanted) == days(5)


def test_settled_sessions_are_not_asked_for_again() -> None:
    complete = state(covered_from=date(2012, 11, 5), settled_until=date(2012, 11, 9))
    assert plan_company(complete, WEEK) is None


def test_provisional_and_missing_sessions_after_the_settled_range_are_wanted() -> None:
    item = plan_company(
        state(
            covered_from=date(2012, 11, 5),
            settled_until=date(2012, 11, 6),
            loose=((date(2012, 11, 7), False), (date(2012, 11, 8), True)),
        ),
        WEEK,
    )
    assert item is not None
    assert list(item.wanted) == days(7, 9)
    assert item.missing_count == 1
    assert item.in_words() == "AAPL  2012-11-07 to 2012-11-09: 1 missing, 1 provisional"


def test_an_older_order_makes_older_sessions_wanted() -> None:
    item = plan_company(state(covered_from=date(2012, 11, 7), settled_until=date(2012, 11, 9)), WEEK)
    assert item is not None
    assert list(item.wanted) == days(5, 6)


def test_a_known_gap_is_not_wanted_until_it_is_due() -> None:
    complete = {"covered_from": date(2012, 11, 5), "settled_until": date(2012, 11, 9)}
    assert plan_company(state(**complete, gaps=frozenset(days(6))), WEEK) is None
    item = plan_company(state(**complete, due_gaps=frozenset(days(6))), WEEK)
    assert item is not None
    assert list(item.wanted) == days(6)


def test_force_asks_again_even_for_settled_sessions() -> None:
    complete = state(covered_from=date(2012, 11, 5), settled_until=date(2012, 11, 9))
    item = plan_company(complete, WEEK, force=True)
    assert item is not None
    assert list(item.wanted) == days(5, 6, 7, 8, 9)
    assert item.missing_count == 0


def test_one_session_can_be_chosen() -> None:
    item = plan_company(state(), WEEK, on=date(2012, 11, 7))
    assert item is not None
    assert list(item.wanted) == days(7)


def test_an_answer_settles_bars_up_to_the_session_before_the_newest_closed_one() -> None:
    assert WEEK.last_settled(datetime(2012, 11, 9, 21, 31, tzinfo=UTC)) == date(2012, 11, 8)
    assert WEEK.last_settled(datetime(2012, 11, 9, 20, 0, tzinfo=UTC)) == date(2012, 11, 7)
    assert sessions(9).last_settled(datetime(2012, 11, 9, 21, 31, tzinfo=UTC)) is None


def test_the_complete_range_ends_before_the_first_session_that_is_not_known() -> None:
    assert settled_until(WEEK, date(2012, 11, 5), set(days(5, 6, 8))) == date(2012, 11, 6)
    assert settled_until(WEEK, date(2012, 11, 5), set(days(6))) is None
    assert settled_until(WEEK, date(2012, 11, 5), set(days(8)), start=date(2012, 11, 7)) == date(2012, 11, 8)


def test_a_gap_is_asked_for_ever_more_rarely_and_then_never() -> None:
    now = datetime(2012, 11, 9, tzinfo=UTC)
    waits = [next_ask_at(count, now=now) for count in range(1, 10)]
    assert waits[:3] == [now + timedelta(days=1), now + timedelta(days=2), now + timedelta(days=4)]
    assert waits[-2:] == [now + timedelta(days=128), None]


@given(st.sets(st.sampled_from(days(5, 6, 7, 8, 9))), st.sets(st.sampled_from(days(5, 6, 7, 8, 9))))
def test_every_closed_session_is_settled_stored_or_wanted(settled: set[date], gaps: set[date]) -> None:
    loose = tuple((day, True) for day in sorted(settled))
    item = plan_company(state(loose=loose, gaps=frozenset(gaps)), WEEK)
    wanted = set(item.wanted) if item else set()
    assert wanted | settled | gaps == set(days(5, 6, 7, 8, 9))
    assert not wanted & (settled | gaps)


@pytest.mark.parametrize(("day", "close_day"), [(7, 7), (10, 12)])
def test_an_order_counts_at_the_close_of_its_session_or_of_the_next(day: int, close_day: int) -> None:
    assert WEEK.close_on_or_after(date(2012, 11, day)) == datetime(2012, 11, close_day, 21, 0, tzinfo=UTC)


# --- By quote, where that can do.


def settled_to(day: int, *loose: int, **changes: object) -> CompanyState:
    """Complete from the 5th to ``day``; later days in ``loose`` are provisional."""
    held = {"covered_from": date(2012, 11, 5), "settled_until": date(2012, 11, day)}
    return state(**held, loose=tuple((date(2012, 11, number), False) for number in loose), **changes)


def quoted(company: CompanyState, calendar: SessionList = WEEK) -> tuple[bool, list[date]] | None:
    item = plan_company(company, calendar, by_quote=True)
    return (item.by_quote, list(item.wanted)) if item else None


def test_only_the_newest_session_missing_is_asked_by_quote() -> None:
    assert quoted(settled_to(8)) == (True, days(9))
    assert quoted(settled_to(6, 7, 8)) == (True, days(9))


def test_provisional_newest_session_is_asked_by_quote_again() -> None:
    assert quoted(settled_to(8, 9)) == (True, days(9))


def test_settled_company_is_not_asked() -> None:
    assert quoted(settled_to(9)) is None


def test_more_than_the_newest_missing_is_a_chart_of_all_that_is_open() -> None:
    assert quoted(settled_to(6, 7)) == (False, days(7, 8, 9))
    assert quoted(state()) == (False, days(5, 6, 7, 8, 9))


def test_known_gap_before_the_newest_session_leaves_it_to_a_quote_only_when_it_is_not_the_one_before() -> None:
    assert quoted(settled_to(6, 8, gaps=frozenset(days(7)))) == (True, days(9))


def test_gap_that_is_due_needs_a_chart() -> None:
    assert quoted(settled_to(8, due_gaps=frozenset(days(6)))) == (False, days(6, 9))


def test_reason_for_a_chart_is_kept_with_the_item() -> None:
    item = plan_company(settled_to(8, chart_only="a corporate action falls on this session"), WEEK, by_quote=True)
    assert item is not None
    assert (item.by_quote, item.note, list(item.wanted)) == (
        False, "a corporate action falls on this session", days(9)
    )  # fmt: skip
    assert item.first == date(2012, 11, 5)


def test_while_the_next_session_runs_a_quote_is_of_that_one() -> None:
    running = sessions(5, 6, 7, 8, 9, 12, now=datetime(2012, 11, 12, 15, 0, tzinfo=UTC))
    assert quoted(settled_to(8), running) == (False, days(9))
    assert quoted(settled_to(8, 9), running) is None


def test_bar_that_is_provisional_for_more_than_ten_sessions_is_read_again_by_the_daily_job() -> None:
    month = sessions(*range(5, 17), now=datetime(2012, 11, 16, 22, 0, tzinfo=UTC))
    late = settled_to(6, *range(7, 16))
    assert quoted(late, month) == (True, days(16))
    later = sessions(*range(5, 18), now=datetime(2012, 11, 17, 22, 0, tzinfo=UTC))
    assert quoted(settled_to(6, *range(7, 17)), later) == (False, days(*range(7, 18)))


def test_forced_or_dated_plans_never_go_by_quote() -> None:
    for item in (
        plan_company(settled_to(8), WEEK, by_quote=True, force=True),
        plan_company(settled_to(8), WEEK, by_quote=True, on=date(2012, 11, 9)),
    ):
        assert item is not None
        assert not item.by_quote


def test_gaps_are_healed_newest_first_within_the_budget_and_ride_for_nothing() -> None:
    companies = [
        settled_to(8, symbol="OLD", due_gaps=frozenset(days(5))),
        settled_to(8, symbol="NEW", due_gaps=frozenset(days(7))),
        settled_to(6, symbol="RIDES", due_gaps=frozenset(days(5))),
        settled_to(8, symbol="WELL"),
    ]
    items = plan_companies(companies, {"XNYS": WEEK}, most_healed=1)
    assert {item.symbol: (item.by_quote, list(item.wanted)) for item in items} == {
        "OLD": (True, days(9)),
        "NEW": (False, days(7, 9)),
        "RIDES": (False, days(5, 7, 8, 9)),
        "WELL": (True, days(9)),
    }


# --- Read again.


def test_reread_asks_for_the_month_and_wants_what_is_not_settled() -> None:
    item = plan_reread(settled_to(6, 7, 8), WEEK)
    assert item is not None
    assert (item.first, list(item.wanted), item.missing_count) == (date(2012, 11, 5), days(7, 8, 9), 1)


def test_reread_of_a_settled_company_still_wants_the_newest_session() -> None:
    item = plan_reread(settled_to(9), WEEK)
    assert item is not None
    assert (list(item.wanted), item.missing_count) == (days(9), 0)


def test_doubted_session_is_wanted_although_it_is_settled() -> None:
    item = plan_reread(settled_to(8), WEEK, doubted=days(8))
    assert item is not None
    assert list(item.wanted) == days(8, 9)


def test_company_that_nobody_holds_is_read_for_its_actions_alone() -> None:
    item = plan_actions(settled_to(6), WEEK)
    assert item is not None
    assert (item.first, item.wanted) == (date(2012, 10, 9), ())


def at(day: int) -> datetime:
    return datetime(2012, 11, day, 23, 0, tzinfo=UTC)


def test_every_company_has_its_weekday() -> None:
    # Friday the 9th is the fifth weekday.
    assert [number for number in range(10) if is_reread_due(number, WEEK, at(8))] == [4, 9]


def test_company_that_was_read_since_the_close_is_not_due() -> None:
    assert not is_reread_due(4, WEEK, at(9))


def test_company_that_was_never_read_or_not_for_five_sessions_is_due() -> None:
    assert is_reread_due(0, WEEK, None)
    assert is_reread_due(0, WEEK, datetime(2012, 11, 5, 20, 59, tzinfo=UTC))
    assert not is_reread_due(0, WEEK, datetime(2012, 11, 5, 21, 0, tzinfo=UTC))


def test_those_that_wait_longest_are_read_first() -> None:
    read = {14: (WEEK, at(8)), 4: (WEEK, at(7)), 3: (WEEK, at(8)), 7: (WEEK, None), 9: (WEEK, at(7))}
    assert reread_order(read) == [7, 4, 9, 14]


# --- Dividends and splits of all time.


def week_of(monday: date) -> tuple[SessionList, datetime]:
    """One closed session in the week of a Monday, and the evening after it."""
    opens = datetime(monday.year, monday.month, monday.day, 14, 30, tzinfo=UTC)
    now = opens + timedelta(hours=9)
    return SessionList("XNYS", [SessionTimes(monday, opens, opens + timedelta(hours=6))], now=now), now


def test_every_company_is_read_whole_in_one_week_of_four() -> None:
    whole = []
    for monday in (date(2012, 11, 26), date(2012, 12, 3), date(2012, 12, 10), date(2012, 12, 17)):
        calendar, now = week_of(monday)
        read_at = now - timedelta(days=28)
        whole.append([number for number in range(1, 26) if is_history_due(number, calendar, read_at, now=now)])
    assert whole == [
        [1, 2, 3, 4, 20, 21, 22, 23, 24],
        [5, 6, 7, 8, 9, 25],
        [10, 11, 12, 13, 14],
        [15, 16, 17, 18, 19],
    ]


@pytest.mark.parametrize(
    ("age", "in_its_week", "in_another"),
    [
        (timedelta(days=6, hours=23), False, False),
        (timedelta(days=7), True, False),
        (timedelta(days=34, hours=23), True, False),
        (timedelta(days=35), True, True),
        (None, True, True),
    ],
)
def test_whole_answer_is_due_in_its_week_or_after_five_weeks(
    age: timedelta | None, in_its_week: bool, in_another: bool
) -> None:
    calendar, now = week_of(date(2012, 11, 26))
    read_at = None if age is None else now - age
    assert is_history_due(1, calendar, read_at, now=now) is in_its_week
    assert is_history_due(5, calendar, read_at, now=now) is in_another


def test_answer_of_all_time_begins_where_its_dividends_do_and_its_bars_stay_the_months() -> None:
    item = plan_reread(settled_to(6, 7, 8), WEEK)
    assert item is not None
    long = replace(item, actions_from=date(2010, 1, 4))
    assert (long.first, long.asked_from, list(long.wanted)) == (date(2012, 11, 5), date(2010, 1, 4), days(7, 8, 9))
    assert long.in_words() == (
        "AAPL  2012-11-05 to 2012-11-09: 1 missing, 2 provisional, its dividends and splits since 2010-01-04"
    )
    assert replace(item, actions_from=date(2012, 11, 8)).asked_from == date(2012, 11, 5)
