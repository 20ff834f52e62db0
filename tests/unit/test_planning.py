from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closingbell.domain.planning import (
    CompanyState,
    SessionList,
    SessionTimes,
    next_ask_at,
    plan_company,
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
