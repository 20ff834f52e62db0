"""What should be there against what is: expected sessions, known gaps, and what is missing."""

from __future__ import annotations

import json
from datetime import date

from sqlalchemy import delete

from closingbell.domain.bars import INTRADAY
from closingbell.domain.runs import RunStatus
from closingbell.models import Base, MarketCalendar, MarketSession, PriceCoverage, PriceHistory
from closingbell.queries.coverage import CompanyCoverage, KnownGap, load_coverage
from closingbell.queries.doctor import FAIL, OK, check_summaries
from closingbell.stores.upsert import table_of
from tests.app_fixtures import SYMBOLS, House, recorded_rows, run_closingbell


def covered(house: House, *symbols: str, recount: bool = False) -> list[CompanyCoverage]:
    """What ``coverage`` shows."""
    return load_coverage(house.context.database, now=house.clock.now(), symbols=symbols or None, recount=recount)


def forget(house: House, model: type[Base], on: str | None = None) -> None:
    """Delete every row of a table, or those of one date, behind the application's back."""
    table = table_of(model)
    statement = delete(table) if on is None else delete(table).where(table.c.date == date.fromisoformat(on))
    house.context.database.write_unit(lambda connection: connection.execute(statement))


def test_autumn_of_2012_is_61_sessions_of_each_company(house: House) -> None:
    house.hold(*SYMBOLS, since="2012-09-04")
    house.run()

    result = house.command("coverage")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "symbol  mic   since       expected  stored  provisional  missing  known gaps  quarantined  unexpected",
        "AAPL    XNYS  2012-09-04  61        61      1            0        0           0            0",
        "FB      XNYS  2012-09-04  61        61      1            0        0           0            0",
        "GOOG    XNYS  2012-09-04  61        61      1            0        0           0            0",
        "IBM     XNYS  2012-09-04  61        61      1            0        0           0            0",
        "MSFT    XNYS  2012-09-04  61        61      1            0        0           0            0",
        "305 of 305 expected closes of 5 companies stored; "
        "0 missing, 0 known gaps, 5 provisional, 0 quarantined, 0 unexpected",
    ]


def test_before_the_first_run_everything_is_missing_and_ten_dates_are_named(house: House) -> None:
    house.hold("AAPL", since="2012-11-12")

    result = house.command("coverage")

    assert result.exit_code == 1
    assert result.stdout.splitlines()[2:] == [
        "AAPL: missing 2012-11-12, 2012-11-13, 2012-11-14, 2012-11-15, 2012-11-16, "
        "2012-11-19, 2012-11-20, 2012-11-21, 2012-11-23, 2012-11-26 and 4 more",
        "0 of 14 expected closes of 1 company stored; "
        "14 missing, 0 known gaps, 0 provisional, 0 quarantined, 0 unexpected",
    ]


def test_nobody_holds_anything(house: House) -> None:
    result = house.command("coverage")

    assert (result.exit_code, result.stdout) == (0, "nobody holds anything\n")


def test_days_of_the_storm_are_not_expected(house: House) -> None:
    house.at("2012-11-02 16:31").hold("IBM", since="2012-10-26")
    house.run()

    [ibm] = covered(house)

    assert list(house.closes("IBM")) == ["2012-10-26", "2012-10-31", "2012-11-01", "2012-11-02"]
    assert (ibm.expected_count, ibm.stored_count, ibm.missing_count) == (4, 4, 0)


def test_sessions_before_the_first_trade_are_known_gaps(house: House) -> None:
    house.at("2012-05-31 16:31").hold("FB", since="2012-05-14")
    house.run()

    result = house.command("coverage")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[2:] == [
        "FB: known gap, 4 sessions (2012-05-14 to 2012-05-17): before the first trade on 2012-05-18",
        "9 of 13 expected closes of 1 company stored; "
        "0 missing, 4 known gaps, 1 provisional, 0 quarantined, 0 unexpected",
    ]


def test_old_bar_without_values_is_a_known_gap_and_a_new_one_is_missing(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-11-01")
    house.market.misbehave("AAPL", "null_bar", endpoint="chart", date="2012-11-12")
    house.market.misbehave("IBM", "null_bar", endpoint="chart", date="2012-11-30")
    house.run()

    apple, ibm = covered(house)

    assert (apple.expected_count, apple.stored_count, apple.missing_count) == (21, 20, 0)
    gap = date(2012, 11, 12)
    assert apple.gaps == (KnownGap("yahoo has no bar for this session", 1, gap, gap),)
    assert (ibm.expected_count, ibm.stored_count, ibm.missing_count) == (21, 20, 1)
    assert ibm.missing_dates == (date(2012, 11, 30),)
    assert house.command("coverage", "--symbols", "AAPL").exit_code == 0
    assert house.command("coverage", "--symbols", "IBM").exit_code == 1


def test_bar_set_aside_is_missing_and_counted(house: House) -> None:
    house.at("2012-11-29 16:31").hold("AAPL", since="2012-11-26")
    house.run()
    house.market.misbehave("AAPL", "price_x100")
    house.at("2012-11-30 16:31").run()

    [apple] = covered(house)

    assert (apple.stored_count, apple.missing_dates, apple.quarantined_count) == (4, (date(2012, 11, 30),), 1)


def test_without_complete_ranges_the_answer_is_the_same(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-09-04")
    house.market.misbehave("AAPL", "null_bar", endpoint="chart", date="2012-11-12")
    house.run()
    before = covered(house)

    forget(house, PriceCoverage)

    assert covered(house) == before
    assert [(one.stored_count, one.gap_count) for one in before] == [(60, 1), (61, 0)]


def test_bar_lost_behind_the_back_is_found_by_a_recount(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-09-04")
    house.run()
    assert covered(house, recount=True) == covered(house)

    forget(house, PriceHistory, on="2012-10-10")

    lost = covered(house, recount=True)
    assert [(one.stored_count, one.missing_dates) for one in lost] == [(60, (date(2012, 10, 10),))] * 2
    assert house.command("coverage").exit_code == 0
    assert house.command("coverage", "--recount").exit_code == 1
    found = check_summaries(house.context.database)
    assert (found.state, found.message) == (FAIL, "those of 2 of 2 companies are not what their bars come to")
    assert house.command("rebuild-summaries").stdout == "2 companies looked at, 2 put right\n"
    assert covered(house) == lost
    found = check_summaries(house.context.database)
    assert (found.state, found.message) == (OK, "those of 2 of 2 companies are what their bars come to")


def test_bar_made_while_its_session_ran_is_no_close(house: House) -> None:
    house.hold("AAPL", since="2012-11-26")
    house.run()
    table = table_of(PriceHistory)
    as_of_noon = table.update().where(table.c.date == date(2012, 11, 30)).values(flag=INTRADAY)
    house.context.database.write_unit(lambda connection: connection.execute(as_of_noon))
    assert house.rebuilt() == ["AAPL"]

    [apple] = covered(house)

    assert (apple.stored_count, apple.missing_dates, apple.unexpected_count) == (4, (date(2012, 11, 30),), 0)


def test_sessions_before_an_older_order_are_missing_until_the_next_run(house: House) -> None:
    house.hold("AAPL", since="2012-11-26")
    house.run()
    house.orders("2012-11-19,BUY,AAPL,10,1.00,0,USD")

    [apple] = covered(house)

    assert (apple.since, apple.expected_count, apple.stored_count) == (date(2012, 11, 19), 9, 5)
    assert [str(day) for day in apple.missing_dates] == ["2012-11-19", "2012-11-20", "2012-11-21", "2012-11-23"]
    house.run()
    assert [(one.stored_count, one.missing_count) for one in covered(house)] == [(9, 0)]


def test_company_that_nobody_holds_is_expected_to_have_five_sessions(house: House) -> None:
    house.refresh("MSFT")

    [microsoft] = covered(house, "MSFT")

    assert (microsoft.since, microsoft.expected_count, microsoft.stored_count) == (date(2012, 11, 26), 5, 5)
    assert covered(house) == []


def test_unknown_symbol_is_refused(house: House) -> None:
    result = house.command("coverage", "--symbols", "NOPE")

    assert result.exit_code == 2
    assert result.stderr == "error: no company of that symbol is known here: NOPE\n"


def test_sessions_that_are_not_written_down_are_no_coverage(house: House) -> None:
    house.hold("AAPL", since="2012-11-26")
    forget(house, MarketCalendar)

    result = house.command("coverage")

    assert result.exit_code == 2
    assert result.stderr == (
        "error: the sessions of XNYS are not written down yet, and 2012-11-09 to 2012-11-30 are needed; "
        "run once: closingbell run-daily-price-update\n"
    )


def test_coverage_as_json(house: House) -> None:
    house.hold("AAPL", since="2012-11-29")

    result = house.command("coverage", "--format", "json")

    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["companies"] == [
        {
            "symbol": "AAPL",
            "mic": "XNYS",
            "since": "2012-11-29",
            "expected_count": 2,
            "stored_count": 0,
            "provisional_count": 0,
            "missing_count": 2,
            "missing_dates": ["2012-11-29", "2012-11-30"],
            "gap_count": 0,
            "gaps": [],
            "quarantined_count": 0,
            "unexpected_count": 0,
            "unexpected_dates": [],
            "closed_on": None,
            "closed_reason": None,
        }
    ]
    assert (told["total"]["expected_count"], told["total"]["missing_count"]) == (2, 2)


def test_complete_range_ahead_of_the_clock_is_not_trusted(house: House) -> None:
    house.hold("AAPL", since="2012-11-26")
    house.run()
    [at_the_end] = covered(house)

    [earlier] = covered(house.at("2012-11-28 16:31"))

    assert (at_the_end.expected_count, at_the_end.stored_count) == (5, 5)
    assert (earlier.expected_count, earlier.stored_count, earlier.unexpected_count) == (3, 3, 2)


def test_replayed_market_asked_as_if_it_were_live_names_the_settings(house: House) -> None:
    house.hold("AAPL", since="2012-11-28")
    house.run()
    environment = house.environment()
    del environment["YAHOO_BASE_URL"], environment["CLOSINGBELL_NOW"]

    result = run_closingbell("coverage", env=environment, cwd=house.folder)

    assert (result.returncode, result.stderr) == (
        1,
        "error: this database holds replay data and the settings are those of live data; "
        "name another database in DATABASE_URL, or correct YAHOO_BASE_URL and CLOSINGBELL_NOW\n",
    )


def test_sessions_between_two_ranges_are_written_down_too(house: House) -> None:
    house.at("2010-03-31 16:31").hold("IBM", since="2010-03-29")
    house.run()
    # Years later; another database's data would be newer than all that is written down here.
    house.at("2012-11-30 16:31").refresh("AAPL")
    house.hold("MSFT", since="2011-08-01")

    summary = house.run()

    assert summary.status is RunStatus.SUCCESS
    [_, microsoft] = [one for one in covered(house) if one.symbol in ("IBM", "MSFT")]
    # As many as the recorded file has.
    assert microsoft.expected_count == len(
        [row for row in recorded_rows("MSFT") if "2011-08-01" <= row.date <= "2012-11-30"]
    )


def test_hole_in_what_is_written_down_is_filled(house: House) -> None:
    house.hold("AAPL", since="2012-09-04")
    house.run()
    table = table_of(MarketSession)
    hole = table.c.date.between(date(2012, 9, 24), date(2012, 10, 19))
    house.context.database.write_unit(lambda connection: connection.execute(delete(table).where(hole)))
    assert [one.expected_count for one in covered(house)] == [41]

    house.at("2012-12-03 16:31").run()

    assert [(one.expected_count, one.missing_count) for one in covered(house)] == [(62, 0)]
