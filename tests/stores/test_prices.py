"""Bars, revisions, gaps and quarantine in the database."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import select

from closingbell.domain.bars import Bar, Finding, MergedBars, StoredBar
from closingbell.models import Company, PriceCoverage, PriceGap, PriceHistory, PriceRevision, QuarantinedBar
from closingbell.stores import companies, prices, quarantine
from closingbell.stores.bulk import raw_instant
from closingbell.stores.database import Database
from closingbell.stores.upsert import table_of, upsert
from tests.app_fixtures import rows_of

AT = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)
LATER = datetime(2012, 12, 3, 21, 31, tzinfo=UTC)
DAY = date(2012, 11, 30)


def bar(close: int, *, day: date = DAY, volume: int = 100) -> Bar:
    return Bar(day, 10_000_000, 99_000_000, 1_000_000, close, volume)


def store_bars(database: Database, company_id: int, *bars: Bar, settled_to: date | None = None) -> None:
    def unit(connection: object) -> None:
        at = raw_instant(connection, AT)  # type: ignore[arg-type]
        made = prices.new_rows(company_id, bars, settled_to=settled_to, provider="yahoo", fetched_at=at, flags={})
        prices.store_new(connection, made)  # type: ignore[arg-type]

    database.write_unit(unit)


def held(database: Database, company_id: int) -> dict[date, StoredBar]:
    with database.read() as connection:
        return prices.load_bars(connection, {company_id: date(2000, 1, 1)}).get(company_id, {})


def change(database: Database, company_id: int, old: StoredBar, new: Bar, *, provider: str = "yahoo") -> int:
    merged = MergedBars([], [(old, new)], [], 0)
    return database.write_unit(
        lambda connection: prices.store_changes(
            connection, company_id, merged, settled_to=None, provider=provider, at=LATER
        )
    )


def test_bar_comes_back_as_it_was_stored(database: Database, company_id: int) -> None:
    store_bars(database, company_id, bar(585_280_000))

    [stored] = held(database, company_id).values()

    assert stored == StoredBar(bar(585_280_000), False, "yahoo", AT)


def test_change_keeps_the_old_bar_with_its_time(database: Database, company_id: int) -> None:
    store_bars(database, company_id, bar(50_000_000))
    old = held(database, company_id)[DAY]

    assert change(database, company_id, old, bar(51_000_000, volume=7)) == 1

    assert held(database, company_id)[DAY] == StoredBar(bar(51_000_000, volume=7), False, "yahoo", LATER)
    [revision] = rows_of(database.engine, PriceRevision)
    assert (revision.old_close, revision.old_volume, revision.old_fetched_at) == (Decimal(50), 100, AT)
    assert (revision.new_close, revision.new_volume, revision.new_fetched_at) == (Decimal(51), 7, LATER)


def test_second_of_two_changes_from_the_same_bar_does_nothing(database: Database, company_id: int) -> None:
    store_bars(database, company_id, bar(50_000_000))
    seen_by_both = held(database, company_id)[DAY]

    assert change(database, company_id, seen_by_both, bar(51_000_000), provider="one") == 1
    assert change(database, company_id, seen_by_both, bar(52_000_000), provider="two") == 0

    assert held(database, company_id)[DAY].bar.close == 51_000_000
    assert len(rows_of(database.engine, PriceRevision)) == 1


def test_one_of_many_racing_changes_wins(database: Database, company_id: int) -> None:
    store_bars(database, company_id, bar(50_000_000))
    seen_by_all = held(database, company_id)[DAY]
    barrier = threading.Barrier(6)
    won: list[int] = []

    def race(number: int) -> None:
        barrier.wait()
        if change(database, company_id, seen_by_all, bar(51_000_000 + number), provider=f"p{number}"):
            won.append(number)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1
    assert held(database, company_id)[DAY].bar.close == 51_000_000 + won[0]
    assert len(rows_of(database.engine, PriceRevision)) == 1


def test_settled_bar_stays_settled_when_it_changes(database: Database, company_id: int) -> None:
    store_bars(database, company_id, bar(50_000_000), settled_to=DAY)
    old = held(database, company_id)[DAY]

    change(database, company_id, old, bar(51_000_000))

    assert held(database, company_id)[DAY].is_settled is True


def test_confirmed_bars_are_settled_by_date(database: Database, company_id: int) -> None:
    earlier = DAY - timedelta(days=1)
    store_bars(database, company_id, bar(50_000_000, day=earlier), bar(51_000_000))

    database.write_unit(lambda connection: prices.store_settled(connection, {earlier: [company_id]}))

    assert {day: one.is_settled for day, one in held(database, company_id).items()} == {earlier: True, DAY: False}


def test_newest_close_before_a_date(database: Database, company_id: int) -> None:
    store_bars(database, company_id, *(bar(n * 1_000_000, day=DAY - timedelta(days=9 - n)) for n in range(2, 10)))

    with database.read() as connection:
        assert prices.load_previous_closes(connection, {company_id: DAY}) == {company_id: 8_000_000}
        assert prices.load_previous_closes(connection, {company_id: DAY - timedelta(days=30)}) == {}


def test_upsert_leaves_or_updates_what_is_there(database: Database, company_id: int) -> None:
    row = {"company_id": company_id, "covered_from": date(2012, 1, 3), "settled_until": date(2012, 2, 3)}
    later = {**row, "covered_from": date(2012, 1, 4), "settled_until": date(2012, 3, 3)}
    database.write_unit(lambda connection: upsert(connection, PriceCoverage, [row]))

    database.write_unit(lambda connection: upsert(connection, PriceCoverage, [later]))
    assert [tuple(one) for one in rows_of(database.engine, PriceCoverage, order="company_id")] == [
        (company_id, date(2012, 1, 3), date(2012, 2, 3))
    ]
    database.write_unit(lambda connection: upsert(connection, PriceCoverage, [later], update=("settled_until",)))
    assert [tuple(one) for one in rows_of(database.engine, PriceCoverage, order="company_id")] == [
        (company_id, date(2012, 1, 3), date(2012, 3, 3))
    ]


def test_upsert_of_many_rows_mixes_new_and_known(database: Database, company_id: int) -> None:
    pairs = [(f"S{number:04}", "XNYS") for number in range(1200)]
    database.write_unit(lambda connection: companies.store_new(connection, pairs[:700], now=AT))

    database.write_unit(lambda connection: companies.store_new(connection, pairs, now=LATER))

    found = [row for row in rows_of(database.engine, Company) if row.symbol.startswith("S")]
    assert len(found) == 1200
    assert sum(row.created_at == AT for row in found) == 700
    with database.read() as connection:
        assert len(companies.load_by_symbol(connection, [symbol for symbol, _ in pairs])) == 1200


def test_symbols_that_differ_in_case_or_accent_are_different(database: Database) -> None:
    pairs = [("ABC", "XNYS"), ("abc", "XNYS"), ("ABÇ", "XNYS"), ("ABC ", "XNYS")]
    database.write_unit(lambda connection: companies.store_new(connection, pairs[:3], now=AT))

    assert [row.symbol for row in rows_of(database.engine, Company)] == ["ABC", "abc", "ABÇ"]


def test_gap_is_counted_up_and_forgotten(database: Database, company_id: int) -> None:
    row = {
        "company_id": company_id,
        "date": DAY,
        "reason": "none",
        "asked_count": 1,
        "last_asked_at": AT,
        "next_ask_at": LATER,
    }
    database.write_unit(lambda connection: prices.store_gaps(connection, [row]))
    again = {**row, "asked_count": 2, "next_ask_at": None}
    database.write_unit(lambda connection: prices.store_gaps(connection, [again]))

    with database.read() as connection:
        assert prices.load_gaps(connection, [company_id]) == {company_id: {DAY: (2, None)}}
    database.write_unit(lambda connection: prices.remove_filled_gaps(connection, [(company_id, DAY)]))
    assert rows_of(database.engine, PriceGap, order="date") == []


def test_finding_seen_again_keeps_its_first_time_and_newest_values(database: Database, company_id: int) -> None:
    def see(close: int, at: datetime) -> None:
        database.write_unit(
            lambda connection: quarantine.store_findings(
                connection,
                company_id,
                [Finding(bar(close), "jump")],
                previous_close=50_000_000,
                provider="yahoo",
                at=at,
            )
        )

    see(99_000_000, AT)
    see(98_000_000, LATER)

    [kept] = rows_of(database.engine, QuarantinedBar)
    assert (kept.close, kept.first_seen_at, kept.last_seen_at) == (Decimal(98), AT, LATER)
    database.write_unit(lambda connection: quarantine.release(connection, company_id, [DAY], at=LATER))
    with database.read() as connection:
        assert quarantine.load_open(connection, [company_id]) == {}
    see(97_000_000, LATER)
    assert len(rows_of(database.engine, QuarantinedBar)) == 2


def test_long_list_of_companies_is_asked_for_in_groups(database: Database, company_id: int) -> None:
    ids = [*range(company_id + 1, company_id + 2001), company_id]
    store_bars(database, company_id, bar(50_000_000))

    with database.read() as connection:
        assert list(prices.load_bars(connection, dict.fromkeys(ids, DAY))) == [company_id]
        assert {one: list(days) for one, days in prices.load_loose(connection, ids, {}).items()} == {
            company_id: [(DAY, False)]
        }
        assert connection.scalar(select(table_of(PriceHistory).c.close)) == Decimal(50)
