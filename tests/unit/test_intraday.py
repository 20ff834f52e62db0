from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from closingbell.domain.bars import INTRADAY, Bar, StoredBar, merge_bars
from closingbell.domain.intraday import (
    Minute,
    ask_from,
    bar_of_minutes,
    bar_of_quote,
    changed_minutes,
    merge_day,
    minutes_of,
    refresh_in_words,
    session_at,
    why_closed,
)
from closingbell.domain.planning import SessionTimes
from closingbell.domain.runs import ItemOutcome, Outcome

FRIDAY = date(2012, 11, 30)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


SESSION = SessionTimes(FRIDAY, utc("2012-11-30 14:30"), utc("2012-11-30 21:00"))
MONDAY = SessionTimes(date(2012, 12, 3), utc("2012-12-03 14:30"), utc("2012-12-03 21:00"))


def minute(time: str, open_: int, high: int, low: int, close: int, volume: int = 10) -> Minute:
    return Minute(utc(f"2012-11-30 {time}"), open_, high, low, close, volume)


def held(
    bar: Bar, *, fetched: str = "2012-11-30 15:00", is_settled: bool = False, flag: str | None = INTRADAY
) -> StoredBar:
    return StoredBar(bar, is_settled, "yahoo", utc(fetched), flag)


@dataclass(frozen=True)
class Told:
    """A quote."""

    traded_at: datetime
    price: int
    open: int | None = None
    high: int | None = None
    low: int | None = None
    volume: int | None = None


# --- Who is due.


def test_session_runs_from_its_open_to_its_very_close() -> None:
    running = [session_at([SESSION, MONDAY], utc(f"2012-11-30 {time}")) for time in ("14:30", "18:00", "21:00")]
    assert running == [SESSION, SESSION, SESSION]


def test_no_session_runs_a_second_before_the_open_or_after_the_close() -> None:
    assert session_at([SESSION, MONDAY], utc("2012-11-30 14:29:59")) is None
    assert session_at([SESSION, MONDAY], utc("2012-11-30 21:00:01")) is None


def test_closed_exchange_says_until_when() -> None:
    assert why_closed("XNYS", [SESSION, MONDAY], utc("2012-12-01 12:00")) == "XNYS is closed until 2012-12-03 09:30 EST"


def test_closed_exchange_without_a_later_session_says_that() -> None:
    assert why_closed("XNYS", [SESSION], utc("2012-12-01 12:00")) == "XNYS is closed, and no later session is known"


def test_first_question_of_a_company_goes_back_to_the_open() -> None:
    assert ask_from(None, SESSION, now=utc("2012-11-30 16:00")) == utc("2012-11-30 14:30")


def test_next_question_begins_with_the_last_stored_minute() -> None:
    assert ask_from(utc("2012-11-30 15:59"), SESSION, now=utc("2012-11-30 16:15")) == utc("2012-11-30 15:59")


def test_question_reaches_back_a_week_at_most() -> None:
    assert ask_from(utc("2012-11-01 20:59"), SESSION, now=utc("2012-11-30 16:15")) == utc("2012-11-23 16:15")


# --- Today's bar.


def test_minutes_add_up_to_a_bar() -> None:
    bar = bar_of_minutes(FRIDAY, [minute("14:30", 10, 12, 9, 11), minute("14:31", 11, 15, 11, 14, 7)])
    assert bar == Bar(FRIDAY, 10, 15, 9, 14, 17)


def test_minutes_of_other_sessions_are_left_out() -> None:
    inside = [minute("14:30", 1, 1, 1, 1), minute("20:59", 2, 2, 2, 2)]
    assert (
        minutes_of([inside[1], minute("14:29", 9, 9, 9, 9), minute("21:00", 9, 9, 9, 9), inside[0]], SESSION) == inside
    )


def test_only_new_and_changed_minutes_are_written() -> None:
    first, running, grown = minute("14:30", 1, 1, 1, 1), minute("14:31", 2, 2, 2, 2), minute("14:31", 2, 3, 2, 3)
    new = minute("14:32", 4, 4, 4, 4)
    assert changed_minutes({first.at: first, running.at: running}, [first, grown, new]) == [grown, new]


def test_quote_tells_the_bar() -> None:
    quote = Told(utc("2012-11-30 16:00"), 12, open=10, high=13, low=9, volume=500)
    assert bar_of_quote(SESSION, quote) == Bar(FRIDAY, 10, 13, 9, 12, 500)


def test_quote_that_has_only_a_price_is_a_bar_of_it() -> None:
    assert bar_of_quote(SESSION, Told(utc("2012-11-30 16:00"), 12)) == Bar(FRIDAY, 12, 12, 12, 12, 0)


def test_quote_of_the_day_before_says_nothing_of_today() -> None:
    assert bar_of_quote(SESSION, Told(utc("2012-11-29 21:00"), 12)) is None


# --- What may change.

EARLIER = Bar(FRIDAY, 10, 15, 9, 14, 100)


def test_first_bar_of_a_day_is_taken() -> None:
    assert merge_day(None, EARLIER, SESSION) == EARLIER


def test_high_rises_low_falls_volume_grows_and_the_close_follows() -> None:
    assert merge_day(held(EARLIER), Bar(FRIDAY, 11, 16, 8, 12, 150), SESSION) == Bar(FRIDAY, 10, 16, 8, 12, 150)


def test_high_never_falls_low_never_rises_volume_never_shrinks() -> None:
    assert merge_day(held(EARLIER), Bar(FRIDAY, 10, 13, 11, 12, 50), SESSION) == Bar(FRIDAY, 10, 15, 9, 12, 100)


def test_repeated_bar_writes_nothing() -> None:
    assert merge_day(held(EARLIER), EARLIER, SESSION) is None


def test_settled_bar_is_never_touched() -> None:
    assert merge_day(held(EARLIER, is_settled=True), Bar(FRIDAY, 1, 99, 1, 99, 999), SESSION) is None


def test_bar_of_the_evening_is_never_touched() -> None:
    evening = held(EARLIER, fetched="2012-11-30 21:00", flag=None)
    assert merge_day(evening, Bar(FRIDAY, 1, 99, 1, 99, 999), SESSION) is None


def test_provisional_bar_of_unknown_origin_is_brought_up_to_date_before_the_close() -> None:
    unflagged = held(EARLIER, fetched="2012-11-30 15:00", flag=None)
    assert merge_day(unflagged, Bar(FRIDAY, 10, 15, 9, 11, 120), SESSION) == Bar(FRIDAY, 10, 15, 9, 11, 120)


def test_evening_takes_the_place_of_an_intraday_bar_even_when_it_says_the_same() -> None:
    intraday, evening = held(EARLIER), held(EARLIER, flag=None)
    assert merge_bars({FRIDAY: intraday}, [EARLIER], settled_to=None).changed == [(intraday, EARLIER)]
    assert merge_bars({FRIDAY: evening}, [EARLIER], settled_to=None).changed == []


prices = st.integers(min_value=1, max_value=10**9)


@st.composite
def sessions_of_minutes(draw: st.DrawFn) -> list[Minute]:
    made = []
    for number in range(draw(st.integers(1, 30))):
        a, b, c, d = sorted(draw(st.lists(prices, min_size=4, max_size=4)))
        made.append(Minute(SESSION.open_at + timedelta(minutes=number), b, d, a, c, draw(st.integers(0, 10**6))))
    return made


@given(sessions_of_minutes())
def test_bar_of_every_longer_prefix_only_widens(minutes: list[Minute]) -> None:
    bars = [bar_of_minutes(FRIDAY, minutes[:count]) for count in range(1, len(minutes) + 1)]
    for before, after in pairwise(bars):
        assert after.open == before.open
        assert (after.high >= before.high, after.low <= before.low, after.volume >= before.volume) == (True,) * 3
        assert after.low <= after.close <= after.high


@given(sessions_of_minutes())
def test_bar_built_run_by_run_is_the_bar_of_the_whole_day(minutes: list[Minute]) -> None:
    row: Bar | None = None
    for count in range(1, len(minutes) + 1):
        told = bar_of_minutes(FRIDAY, minutes[:count])
        row = merge_day(held(row) if row else None, told, SESSION) or row
    assert row == bar_of_minutes(FRIDAY, minutes)


def test_run_in_a_sentence() -> None:
    items = [
        ItemOutcome("AAPL", 1, Outcome.STORED, 1, 1),
        ItemOutcome("IBM", 2, Outcome.FAILED, 1, 0, error_kind="rate_limited"),
    ]
    closed = ["XLON is closed until 2012-12-03 03:00 EST"]
    assert refresh_in_words(items, utc("2012-11-30 16:15"), closed) == (
        "1 of 2 prices of 2012-11-30 11:15 EST stored, 1 rate_limited; XLON is closed until 2012-12-03 03:00 EST"
    )
