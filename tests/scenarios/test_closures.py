"""Sessions that a person closes because the calendar does not know, and opens again."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from closingbell.domain.runs import RunStatus
from closingbell.models import JobLog, MarketSession, PriceCoverage
from closingbell.queries.coverage import load_coverage
from closingbell.stores.upsert import table_of
from tests.app_fixtures import House


def counts(house: House) -> dict[str, tuple[int, int, int]]:
    """Expected, stored and missing sessions of each company held."""
    covered = load_coverage(house.context.database, now=house.clock.now())
    return {one.symbol: (one.expected_count, one.stored_count, one.missing_count) for one in covered}


def session_of(house: House, day: str) -> Any:
    return next(row for row in house.rows(MarketSession, order="date") if str(row.date) == day)


def test_missing_bar_of_a_closed_day_is_expected_no_longer(house: House) -> None:
    house.hold("AAPL", since="2012-11-26")
    house.market.misbehave("AAPL", "missing_bar", endpoint="chart", date="2012-11-28")
    assert house.run().status is RunStatus.PARTIAL
    assert counts(house) == {"AAPL": (5, 4, 1)}

    result = house.command("closures", "add", "XNYS", "2012-11-28", "a storm that the calendar missed")

    assert (result.exit_code, result.stdout) == (0, "XNYS is closed on 2012-11-28\n")
    assert counts(house) == {"AAPL": (4, 4, 0)}
    assert house.at("2012-12-03 16:31").run().status is RunStatus.SUCCESS


def test_closed_day_is_never_asked_for(house: House) -> None:
    house.command("closures", "add", "XNYS", "2012-11-30", "storm")
    house.market.misbehave("AAPL", "missing_bar", endpoint="chart", date="2012-11-30")
    house.hold("AAPL", since="2012-11-28")

    summary = house.run()

    assert summary.message == "2 of 2 expected closes up to 2012-11-29 stored"
    assert list(house.closes("AAPL")) == ["2012-11-28", "2012-11-29"]


def test_stored_bar_of_a_closed_day_stays_and_is_unexpected(house: House) -> None:
    house.hold("AAPL", since="2012-11-26")
    house.run()

    house.command("closures", "add", "XNYS", "2012-11-28", "storm")

    result = house.command("coverage")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:] == [
        "AAPL    XNYS  2012-11-26  4         4       1            0        0           0            1",
        "AAPL: a bar without a session on 2012-11-28",
        "4 of 4 expected closes of 1 company stored; "
        "0 missing, 0 known gaps, 1 provisional, 0 quarantined, 1 unexpected",
    ]
    assert house.closes("AAPL")["2012-11-28"] == "582.94"


def test_day_opened_again_is_fetched_by_the_next_run(house: House) -> None:
    house.command("closures", "add", "XNYS", "2012-11-28", "storm")
    house.hold("AAPL", "IBM", since="2012-11-26")
    house.run()
    assert counts(house) == {"AAPL": (4, 4, 0), "IBM": (4, 4, 0)}
    assert [str(row.settled_until) for row in house.rows(PriceCoverage, order="company_id")] == ["2012-11-29"] * 2

    result = house.command("closures", "remove", "XNYS", "2012-11-28")

    assert (result.exit_code, result.stdout) == (0, "XNYS is open on 2012-11-28\n")
    assert house.rows(PriceCoverage, order="company_id") == []
    assert counts(house) == {"AAPL": (5, 4, 1), "IBM": (5, 4, 1)}
    assert house.run().status is RunStatus.SUCCESS
    assert counts(house) == {"AAPL": (5, 5, 0), "IBM": (5, 5, 0)}
    assert [str(row.settled_until) for row in house.rows(PriceCoverage, order="company_id")] == ["2012-11-29"] * 2


def test_ranges_that_end_before_the_day_are_kept_when_it_opens_again(house: House) -> None:
    house.hold("AAPL", since="2012-11-26")
    house.run()
    house.command("closures", "add", "XNYS", "2012-12-24", "a holiday of our own")

    house.command("closures", "remove", "XNYS", "2012-12-24")

    assert [str(row.settled_until) for row in house.rows(PriceCoverage, order="company_id")] == ["2012-11-29"]


def test_half_day_is_a_half_day_again(house: House) -> None:
    house.hold("AAPL", since="2012-11-19")
    assert session_of(house, "2012-11-23").reason == "early close"
    house.command("closures", "add", "XNYS", "2012-11-23", "storm")
    assert (session_of(house, "2012-11-23").is_open, session_of(house, "2012-11-23").reason) == (False, "storm")

    house.command("closures", "remove", "XNYS", "2012-11-23")

    assert (session_of(house, "2012-11-23").is_open, session_of(house, "2012-11-23").reason) == (True, "early close")


def test_closing_or_opening_twice_says_so(house: House) -> None:
    house.command("closures", "add", "XNYS", "2012-11-28", "storm", "--by", "Ann")

    again = house.command("closures", "add", "xnys", "2012-11-28", "flood")
    house.command("closures", "remove", "XNYS", "2012-11-28")
    opened = house.command("closures", "remove", "XNYS", "2012-11-28")

    assert (again.exit_code, again.stdout) == (0, "XNYS was closed on 2012-11-28 already by Ann: storm\n")
    assert (opened.exit_code, opened.stdout) == (0, "XNYS was not closed on 2012-11-28\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        # The storm that the calendar knows, a Saturday, and a day too far ahead.
        (["add", "XNYS", "2012-10-29", "storm"], "2012-10-29: XNYS has no session on this date"),
        (["remove", "XNYS", "2012-11-24"], "2012-11-24: XNYS has no session on this date"),
        (
            ["add", "XNYS", "2015-11-02", "storm"],
            "2015-11-02: the sessions of XNYS are known up to 2013-12-05; ask again later",
        ),
        (["add", "XNYS", "2012-11-28", " "], "say why the exchange is closed, for those who look later"),
        (["add", "XNYS", "2012-11-28", "x" * 201], "the reason has 201 characters; 200 are kept"),
        (["add", "NYSE", "2012-11-28", "storm"], "NYSE: no exchange of that code is known here; there are ASEX, "),
    ],
)
def test_wrong_closure_is_refused(house: House, arguments: list[str], words: str) -> None:
    result = house.command("closures", *arguments)

    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {words}")
    assert [row for row in house.rows(MarketSession, order="date") if not row.is_open] == []


def test_day_is_not_opened_while_a_run_goes_on_that_takes_it_for_closed(house: House) -> None:
    house.command("closures", "add", "XNYS", "2012-11-28", "storm")
    wall = house.context.wall.now()
    run = {
        "job_name": "daily_price_update",
        "status": "RUNNING",
        "started_at": house.clock.now(),
        "trigger": "manual",
        "owner": "elsewhere:1:0",
        "heartbeat_at": wall,
        "lease_until": wall + timedelta(minutes=5),
        "attempt": 1,
    }
    house.context.database.write_unit(lambda connection: connection.execute(table_of(JobLog).insert(), [run]))

    result = house.command("closures", "remove", "XNYS", "2012-11-28")

    assert result.exit_code == 2
    assert "of daily_price_update is under way; reopen the session when it has ended" in result.stderr
    assert session_of(house, "2012-11-28").is_open is False


def test_closures_are_listed(house: House) -> None:
    assert house.command("closures", "list").stdout == "nobody closed a session\n"
    house.command("closures", "add", "XNYS", "2012-12-24", "a holiday of our own", "--by", "Ben")
    house.command("closures", "add", "XNYS", "2012-11-28", "storm", "--by", "Ann")

    text = house.command("closures", "list")
    told = json.loads(house.command("closures", "list", "--mic", "XNYS", "--format", "json").stdout)

    assert text.stdout.splitlines() == [
        "mic   date        reason                by   at",
        "XNYS  2012-11-28  storm                 Ann  2012-11-30 16:31:00 EST",
        "XNYS  2012-12-24  a holiday of our own  Ben  2012-11-30 16:31:00 EST",
    ]
    assert told[0] == {
        "mic": "XNYS",
        "date": "2012-11-28",
        "reason": "storm",
        "closed_by": "Ann",
        "closed_at": "2012-11-30T21:31:00+00:00",
    }
    assert house.command("closures", "list", "--mic", "XLON").stdout == "nobody closed a session\n"
