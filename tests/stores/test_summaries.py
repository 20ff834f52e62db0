"""The summary kept of each company's bars: right after every writer, in any order, from any process."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete

from closingbell.domain.bars import INTRADAY, Bar, Finding, MergedBars, StoredBar
from closingbell.domain.days import DaySet, StoredDays
from closingbell.domain.planning import SessionTimes
from closingbell.models import PriceHistory
from closingbell.queries.coverage import load_coverage
from closingbell.stores import companies, prices, quarantine, sessions, summaries
from closingbell.stores.bulk import BULK_FROM, raw_instant
from closingbell.stores.database import Database
from closingbell.stores.orders import NewOrder, store_orders
from closingbell.stores.summaries import NewestBar, Summary
from closingbell.stores.upsert import table_of

AT = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)
LATER = datetime(2012, 12, 3, 21, 31, tzinfo=UTC)
DAY = date(2012, 11, 30)
BEFORE = date(2012, 11, 29)


def bar(close: int, day: date = DAY) -> Bar:
    return Bar(day, 10_000_000, 99_000_000, 1_000_000, close, 100)


def new(
    connection: Connection, company_id: int, *bars: Bar, settled_to: date | None = None, flag: str | None = None
) -> None:
    flags = {one.date: flag for one in bars} if flag else {}
    made = prices.new_rows(
        company_id, bars, settled_to=settled_to, provider="yahoo", fetched_at=raw_instant(connection, AT), flags=flags
    )
    prices.store_new(connection, made)


def store(database: Database, company_id: int, *bars: Bar, **how: object) -> None:
    database.write_unit(lambda connection: new(connection, company_id, *bars, **how))  # type: ignore[arg-type]


def held(connection: Connection, company_id: int, day: date = DAY) -> StoredBar:
    return prices.load_bars(connection, {company_id: day})[company_id][day]


def change(connection: Connection, company_id: int, close: int, day: date = DAY) -> None:
    merged = MergedBars([], [(held(connection, company_id, day), bar(close, day))], [], 0)
    prices.store_changes(connection, company_id, merged, settled_to=None, provider="other", at=LATER)


def summary(database: Database, company_id: int) -> Summary:
    with database.read() as connection:
        return summaries.load_summaries(connection, [company_id])[company_id]


def drifted(database: Database, *company_ids: int) -> list[summaries.Drift]:
    with database.read() as connection:
        return summaries.find_drift(connection, company_ids)


def days(*known: tuple[date, bool]) -> StoredDays:
    return StoredDays.of(known)


def test_first_bars_make_a_summary(database: Database, company_id: int) -> None:
    store(database, company_id, bar(50_000_000, BEFORE), bar(51_000_000), settled_to=BEFORE)

    assert summary(database, company_id) == Summary(
        NewestBar(DAY, 51_000_000, False, "yahoo", AT), days((BEFORE, True), (DAY, False))
    )


def test_later_bar_is_the_newest_and_an_older_one_is_not(database: Database, company_id: int) -> None:
    store(database, company_id, bar(50_000_000, BEFORE))
    store(database, company_id, bar(51_000_000))
    store(database, company_id, bar(40_000_000, date(2012, 3, 5)), settled_to=DAY)

    assert summary(database, company_id) == Summary(
        NewestBar(DAY, 51_000_000, False, "yahoo", AT), days((date(2012, 3, 5), True), (BEFORE, False), (DAY, False))
    )


def test_corrected_bar_is_followed_and_an_older_correction_changes_nothing(database: Database, company_id: int) -> None:
    store(database, company_id, bar(50_000_000, BEFORE), bar(51_000_000))

    database.write_unit(lambda connection: change(connection, company_id, 47_000_000, BEFORE))
    assert summary(database, company_id).newest == NewestBar(DAY, 51_000_000, False, "yahoo", AT)

    database.write_unit(lambda connection: change(connection, company_id, 52_000_000))
    assert summary(database, company_id).newest == NewestBar(DAY, 52_000_000, False, "other", LATER)


def test_settled_bar_is_no_longer_provisional(database: Database, company_id: int) -> None:
    store(database, company_id, bar(50_000_000, BEFORE), bar(51_000_000))

    database.write_unit(lambda connection: prices.store_settled(connection, {BEFORE: [company_id], DAY: [company_id]}))

    assert summary(database, company_id) == Summary(
        NewestBar(DAY, 51_000_000, True, "yahoo", AT), days((BEFORE, True), (DAY, True))
    )


def test_bar_of_a_running_session_is_the_newest_and_no_close(database: Database, company_id: int) -> None:
    store(database, company_id, bar(50_000_000, BEFORE))
    store(database, company_id, bar(51_000_000), flag=INTRADAY)
    assert summary(database, company_id) == Summary(
        NewestBar(DAY, 51_000_000, False, "yahoo", AT), days((BEFORE, False))
    )

    def goes_on(connection: Connection) -> None:
        before = held(connection, company_id)
        prices.store_intraday(connection, company_id, before, bar(51_500_000), provider="yahoo", at=LATER)

    database.write_unit(goes_on)
    assert summary(database, company_id) == Summary(
        NewestBar(DAY, 51_500_000, False, "yahoo", LATER), days((BEFORE, False))
    )

    database.write_unit(lambda connection: change(connection, company_id, 52_000_000))
    assert summary(database, company_id) == Summary(
        NewestBar(DAY, 52_000_000, False, "other", LATER), days((BEFORE, False), (DAY, False))
    )


def test_bar_that_a_person_accepted_is_followed(database: Database, company_id: int) -> None:
    store(database, company_id, bar(50_000_000, BEFORE))

    def set_aside_and_accept(connection: Connection) -> None:
        found = [Finding(bar(98_000_000), "jump")]
        quarantine.store_findings(connection, company_id, found, previous_close=50_000_000, provider="yahoo", at=AT)
        [row_id] = connection.scalars(
            table_of(quarantine.QuarantinedBar).select().with_only_columns(table_of(quarantine.QuarantinedBar).c.id)
        )
        doubtful = quarantine.load_doubtful(connection, row_id)
        assert doubtful is not None
        assert quarantine.store_accepted(connection, doubtful)

    database.write_unit(set_aside_and_accept)

    assert summary(database, company_id) == Summary(
        NewestBar(DAY, 98_000_000, True, "yahoo", AT), days((BEFORE, False), (DAY, True))
    )


@pytest.mark.parametrize("taken", [BEFORE, DAY])
def test_bar_that_a_person_takes_away_is_gone(database: Database, company_id: int, taken: date) -> None:
    store(database, company_id, bar(50_000_000, BEFORE), bar(51_000_000))
    left = BEFORE if taken == DAY else DAY

    def take(connection: Connection) -> None:
        table = table_of(PriceHistory)
        connection.execute(delete(table).where(table.c.company_id == company_id, table.c.date == taken))
        summaries.touch(connection, [(company_id, taken)])

    database.write_unit(take)

    newest = NewestBar(left, 50_000_000 if left == BEFORE else 51_000_000, False, "yahoo", AT)
    assert summary(database, company_id) == Summary(newest, days((left, False)))


def test_what_was_rolled_back_leaves_no_trace(database: Database, company_id: int) -> None:
    store(database, company_id, bar(50_000_000, BEFORE))

    def fails(connection: Connection) -> None:
        new(connection, company_id, bar(51_000_000))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.write_unit(fails)

    assert summary(database, company_id) == Summary(
        NewestBar(BEFORE, 50_000_000, False, "yahoo", AT), days((BEFORE, False))
    )


def test_thousands_of_bars_of_many_companies_at_once(database: Database) -> None:
    ids = make_companies(database, 5)
    sessions = [date(2008, 1, 1) + timedelta(days=n) for n in range(500)]
    assert len(ids) * len(sessions) > BULK_FROM
    rows = [(company_id, bar(1_000_000 + n, day)) for company_id in ids for n, day in enumerate(sessions)]

    def unit(connection: Connection) -> None:
        at = raw_instant(connection, AT)
        last = sessions[-3]
        prices.store_new(
            connection,
            [
                row
                for company_id, one in rows
                for row in prices.new_rows(company_id, [one], settled_to=last, provider="x", fetched_at=at, flags={})
            ],
        )

    database.write_unit(unit)
    expected = Summary(
        NewestBar(sessions[-1], 1_000_499, False, "x", AT),
        StoredDays(DaySet.of(sessions), DaySet.of(sessions[-2:])),
    )
    assert [summary(database, one) for one in ids] == [expected] * 5
    # The same again finds every key taken, and nothing changes.
    database.write_unit(unit)
    assert [summary(database, one) for one in ids] == [expected] * 5
    assert drifted(database, *ids) == []


def test_company_without_bars_has_no_summary(database: Database, company_id: int) -> None:
    with database.read() as connection:
        assert summaries.load_summaries(connection, [company_id]) == {}
        assert summaries.load_days(connection, [company_id]) == {}
        assert summaries.find_drift(connection, [company_id]) == []


def test_bars_written_by_other_means_are_found_and_taken_in(database: Database, company_id: int) -> None:
    other = make_companies(database, 1)[0]
    store(database, company_id, bar(50_000_000, BEFORE), bar(51_000_000))
    store(database, other, bar(51_000_000))
    table = table_of(PriceHistory)
    with database.write() as connection:
        connection.execute(delete(table).where(table.c.date == DAY))

    found = {drift.company_id: drift for drift in drifted(database, company_id, other)}

    assert found[company_id].kept.newest == NewestBar(DAY, 51_000_000, False, "yahoo", AT)
    assert found[company_id].made_anew.newest == NewestBar(BEFORE, 50_000_000, False, "yahoo", AT)
    assert found[other].made_anew == Summary()
    rebuilt = database.write_unit(lambda connection: summaries.rebuild(connection, [company_id, other]))
    assert len(rebuilt) == 2
    assert drifted(database, company_id, other) == []
    with database.read() as connection:
        assert list(summaries.load_summaries(connection, [company_id, other])) == [company_id]


# --- Writers at once.


def in_two_transactions(
    database: Database, first: Callable[[Connection], None], second: Callable[[Connection], None]
) -> None:
    """``second`` begins while ``first`` has written bars and summaries and not committed yet; it has to wait."""
    has_written, may_commit = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        first(connection)
        summaries.follow(connection)
        has_written.set()
        may_commit.wait(0.5)

    def quick() -> None:
        has_written.wait(10)
        database.write_unit(second)
        may_commit.set()

    threads = [threading.Thread(target=database.write_unit, args=(slow,)), threading.Thread(target=quick)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


@pytest.mark.parametrize("first_is_newer", [True, False])
def test_two_writers_of_one_company_see_each_other(database: Database, company_id: int, first_is_newer: bool) -> None:
    store(database, company_id, bar(50_000_000, BEFORE))
    newer, older = bar(51_000_000), bar(40_000_000, date(2012, 3, 5))
    one, two = (newer, older) if first_is_newer else (older, newer)

    in_two_transactions(database, lambda c: new(c, company_id, one), lambda c: new(c, company_id, two))

    assert summary(database, company_id) == Summary(
        NewestBar(DAY, 51_000_000, False, "yahoo", AT), days((date(2012, 3, 5), False), (BEFORE, False), (DAY, False))
    )


@pytest.mark.parametrize("first_is_newer", [True, False])
def test_two_writers_of_a_companys_first_bars(database: Database, company_id: int, first_is_newer: bool) -> None:
    newer, older = bar(51_000_000), bar(50_000_000, BEFORE)
    one, two = (newer, older) if first_is_newer else (older, newer)

    in_two_transactions(database, lambda c: new(c, company_id, one), lambda c: new(c, company_id, two))

    assert summary(database, company_id) == Summary(
        NewestBar(DAY, 51_000_000, False, "yahoo", AT), days((BEFORE, False), (DAY, False))
    )


def test_correction_meanwhile_of_the_newest_bar_is_not_lost(database: Database, company_id: int) -> None:
    store(database, company_id, bar(50_000_000, BEFORE), bar(51_000_000))

    # The second one finds its newest bar stored already; it must not write down the close that the first one corrects.
    in_two_transactions(
        database,
        lambda c: change(c, company_id, 52_000_000),
        lambda c: new(c, company_id, bar(40_000_000, date(2012, 3, 5)), bar(53_000_000)),
    )

    assert summary(database, company_id).newest == NewestBar(DAY, 52_000_000, False, "other", LATER)
    assert drifted(database, company_id) == []


WRITER = """
import random, sys
from datetime import date, timedelta
from tests.stores.test_summaries import bar, change, new
from closingbell.stores.database import open_database

url, seed, *ids = sys.argv[1:]
database, chance = open_database(url), random.Random(int(seed))
for turn in range(12):
    def unit(connection):
        for company_id in sorted(chance.sample([int(i) for i in ids], 2)):
            for _ in range(3):
                day = date(2012, 11, 1) + timedelta(days=chance.randrange(25))
                new(connection, company_id, bar(chance.randrange(1, 90) * 1_000_000, day))
                if chance.random() < 0.5:
                    change(connection, company_id, chance.randrange(1, 90) * 1_000_000, day)
    database.write_unit(unit)
"""


def test_two_processes_that_write_the_same_companies_leave_no_drift(database: Database, tables_url: str) -> None:
    ids = make_companies(database, 3)
    arguments = [str(one) for one in ids]
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, tables_url, str(seed), *arguments]) for seed in (1, 2)]

    assert [writer.wait(120) for writer in writers] == [0, 0]

    assert drifted(database, *ids) == []
    assert all(summary(database, one).newest for one in ids)


# --- Any history.

SPAN = [DAY - timedelta(days=n) for n in range(12)]
closes = st.integers(1, 90).map(lambda n: n * 1_000_000)
steps = st.one_of(
    st.tuples(st.just("new"), st.lists(st.sampled_from(SPAN), min_size=1, max_size=6, unique=True), closes),
    st.tuples(st.just("intraday"), st.lists(st.sampled_from(SPAN), min_size=1, max_size=1), closes),
    st.tuples(st.just("change"), st.lists(st.sampled_from(SPAN), min_size=1, max_size=2, unique=True), closes),
    st.tuples(st.just("settle"), st.lists(st.sampled_from(SPAN), min_size=1, max_size=3, unique=True), closes),
    st.tuples(st.just("roll back"), st.lists(st.sampled_from(SPAN), min_size=1, max_size=3, unique=True), closes),
)


def make_companies(database: Database, count: int) -> list[int]:
    symbols = [f"S{uuid4().hex[:16]}" for _ in range(count)]
    database.write_unit(lambda c: companies.store_new(c, [(symbol, "XNYS") for symbol in symbols], now=AT))
    with database.read() as connection:
        known = companies.load_by_symbol(connection, symbols)
    return sorted(one.id for one in known.values())


def take_step(connection: Connection, company_id: int, kind: str, on: Sequence[date], close: int) -> None:
    stored = prices.load_bars(connection, {company_id: min(SPAN)}).get(company_id, {})
    if kind in ("new", "roll back"):
        new(connection, company_id, *(bar(close, day) for day in sorted(on)), settled_to=SPAN[6])
    elif kind == "intraday" and on[0] in stored:
        prices.store_intraday(connection, company_id, stored[on[0]], bar(close, on[0]), provider="x", at=LATER)
    elif kind == "intraday":
        new(connection, company_id, bar(close, on[0]), flag=INTRADAY)
    elif kind == "change":
        for day in on:
            if day in stored:
                change(connection, company_id, close, day)
    else:
        prices.store_settled(connection, {day: [company_id] for day in on if day in stored})
    if kind == "roll back":
        raise ZeroDivisionError


def naive(database: Database, company_id: int) -> Summary:
    """The summary as one would write it down by hand from the rows."""
    with database.read() as connection:
        stored = prices.load_bars(connection, {company_id: min(SPAN)}).get(company_id, {})
    known = days(*((day, one.is_settled) for day, one in stored.items() if one.flag != INTRADAY))
    if not stored:
        return Summary()
    last = stored[max(stored)]
    return Summary(NewestBar(last.bar.date, last.bar.close, last.is_settled, last.provider, last.fetched_at), known)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(st.lists(steps, min_size=1, max_size=3), max_size=6))
def test_after_any_history_the_summary_is_what_the_bars_come_to(
    database: Database, history: list[list[tuple[str, list[date], int]]]
) -> None:
    [company_id] = make_companies(database, 1)
    for transaction in history:
        try:
            with database.write() as connection:
                for kind, on, close in transaction:
                    take_step(connection, company_id, kind, on, close)
        except ZeroDivisionError:
            continue

    with database.read() as connection:
        kept = summaries.load_summaries(connection, [company_id]).get(company_id, Summary())
    assert kept == naive(database, company_id)
    assert drifted(database, company_id) == []


# --- Coverage reads the summaries; here it is counted from the rows, one by one.

SESSIONS = [day for day in sorted(SPAN) if day.weekday() < 5]
NOW = datetime(2012, 12, 1, tzinfo=UTC)


def write_down_sessions(database: Database) -> None:
    times = [
        (SessionTimes(day, instant(day, 14), instant(day, 21)), None) for day in [*SESSIONS, DAY + timedelta(days=3)]
    ]
    first, last = date(2012, 11, 1), date(2012, 12, 31)
    database.write_unit(
        lambda c: sessions.store_sessions(c, "XNYS", times, first=first, last=last, version="1", now=AT)
    )


def instant(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def hold(database: Database, symbol: str, since: date) -> None:
    order = NewOrder(
        "BUY", symbol, since, instant(since, 15), Decimal(1), Decimal(1), None, Decimal(0), "USD", "test", symbol
    )
    database.write_unit(lambda c: store_orders(c, "Ann", [order], symbols=[(symbol, "XNYS")], now=AT))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=st.lists(steps.filter(lambda step: step[0] != "roll back"), max_size=8),
    since=st.sampled_from(SESSIONS),
    gaps=st.sets(st.sampled_from(SPAN), max_size=3),
)
def test_coverage_is_what_counting_the_rows_gives(
    database: Database, history: list[tuple[str, list[date], int]], since: date, gaps: set[date]
) -> None:
    write_down_sessions(database)
    symbol = f"S{uuid4().hex[:16]}"
    hold(database, symbol, since)
    with database.read() as connection:
        company_id = companies.load_by_symbol(connection, [symbol])[symbol].id
    with database.write() as connection:
        for kind, on, close in history:
            take_step(connection, company_id, kind, on, close)
        prices.store_gaps(
            connection,
            [
                {"company_id": company_id, "date": day, "reason": "none", "asked_count": 1, "last_asked_at": AT,
                 "next_ask_at": None}
                for day in gaps
            ],
        )  # fmt: skip

    [told] = load_coverage(database, now=NOW, symbols=(symbol,))

    with database.read() as connection:
        stored = prices.load_bars(connection, {company_id: since}).get(company_id, {})
    close_days = {day for day, one in stored.items() if one.flag != INTRADAY}
    expected = [day for day in SESSIONS if day >= since]
    missing = [day for day in expected if day not in close_days and day not in gaps]
    assert told.expected_count == len(expected)
    assert told.stored_count == sum(day in close_days for day in expected)
    assert told.provisional_count == sum(day in close_days and not stored[day].is_settled for day in expected)
    assert (told.missing_count, told.missing_dates) == (len(missing), tuple(missing))
    assert told.gap_count == sum(day in gaps and day not in close_days for day in expected)
    assert told.unexpected_count == sum(day not in SESSIONS for day in close_days)
    assert load_coverage(database, now=NOW, symbols=(symbol,), recount=True) == [told]
