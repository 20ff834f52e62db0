"""Stories of what is gone: a company, a process, a fortnight."""

from __future__ import annotations

from datetime import date

from closingbell.domain.runs import RunStatus
from closingbell.models import CompanyDecision, JobLog, PriceHistory, PriceRevision
from tests.app_fixtures import SYMBOLS, House, recorded_rows
from tests.faults.run_server import RunServer
from tests.scenarios.stories.telling import last_item, require_recorded, run_log, told


def test_symbol_is_delisted(house: House) -> None:
    """After 2012-11-02 no provider knows IBM any more. On the tenth session without it the company is closed.

    Root is told of the trouble, of the closing, and that all is well; IBM is asked for no more, its history stays.
    """
    house.at("2012-11-02 16:31").hold("AAPL", "IBM", since="2012-10-26")
    house.run()
    house.market.misbehave("IBM", "not_found")
    sessions = [row.date for row in recorded_rows("AAPL") if "2012-11-05" <= row.date <= "2012-11-16"]
    assert len(sessions) == 10

    for day in sessions[:9]:
        assert house.at(f"{day} 16:31").run().status is RunStatus.PARTIAL
    assert last_item(house, "IBM")[:2] == ("failed", "symbol_unknown")
    assert house.company("IBM").closed_on is None
    house.at("2012-11-16 16:31").run()
    house.market.clear_log()
    after = house.at("2012-11-19 16:31").run()

    assert after.status is RunStatus.SUCCESS
    assert {symbol for record in house.market.requests for symbol in record.symbols} == {"AAPL"}
    assert house.company("IBM").closed_on == date(2012, 11, 2)
    require_recorded(house, "IBM", since="2012-10-26", until="2012-11-02")
    require_recorded(house, "AAPL", since="2012-10-26", until="2012-11-19")
    assert [log.message for log in house.rows(JobLog)][-2].endswith("; closed IBM, which nobody knows")
    assert [(row.kind, row.why) for row in house.rows(CompanyDecision)] == [
        ("closed", "no provider knew IBM on 10 sessions, from 2012-11-05 to 2012-11-16")
    ]
    assert {title for title in told(house) if not title.startswith("Still: ")} == {
        "daily_price_update partly failed: symbol_unknown",
        "IBM was closed: nobody knows it",
        "daily_price_update works again",
    }
    coverage = house.command("coverage")
    assert coverage.exit_code == 0
    assert coverage.stdout.splitlines()[3] == (
        "IBM: closed on 2012-11-02: no provider knew IBM on 10 sessions, from 2012-11-05 to 2012-11-16"
    )


def test_process_is_killed_between_two_chunks(house: House, run_server: RunServer) -> None:
    """The process that stores the autumn dies after its second transaction; nobody is there to say so.

    What it stored stays. The next run finds it dead, says so in its log, and stores the rest.
    """
    house.hold(*SYMBOLS, since="2012-09-04")
    environment = house.environment(YAHOO_CONCURRENCY="1")

    [killed] = run_server.carry_out(environment, after_chunk=2)

    assert killed["end"] == "killed"
    assert [(log.status, log.stocks_processed) for log in house.rows(JobLog)] == [("RUNNING", 2)]
    stored = {row.company_id for row in house.rows(PriceHistory, order="date")}
    assert (len(stored), len(house.rows(PriceHistory, order="date"))) == (2, 122)
    [again] = run_server.carry_out(environment)
    assert again["end"] == "SUCCESS"

    require_recorded(house, *SYMBOLS, since="2012-09-04", until="2012-11-30")
    dead, whole = house.rows(JobLog)
    assert (dead.status, dead.ended_by) == ("FAILED", "orphaned")
    assert "the process that carried out this run ended before the run did" in dead.error_message
    assert (whole.status, whole.stocks_processed, whole.stocks_failed) == ("SUCCESS", 5, 0)
    assert house.rows(PriceRevision) == []


def test_twelve_sessions_are_missed(house: House) -> None:
    """Nothing runs from 2012-11-14 to 2012-11-30: twelve sessions, with Thanksgiving and a half day among them.

    The first run afterwards asks once for each company and brings all of it; nothing of it is missing or unsettled
    but the newest day.
    """
    house.at("2012-11-13 16:31").hold(*SYMBOLS, since="2012-10-24")
    house.run()
    missed = [row.date for row in recorded_rows("IBM") if "2012-11-13" < row.date <= "2012-11-30"]
    assert len(missed) == 12
    house.market.clear_log()

    summary = house.at("2012-11-30 16:31").run()

    assert summary.status is RunStatus.SUCCESS
    assert sorted(record.symbols for record in house.market.requests if record.endpoint == "chart") == [
        (symbol,) for symbol in SYMBOLS
    ]
    require_recorded(house, *SYMBOLS, since="2012-10-24", until="2012-11-30")
    # Twelve that were missed and the one that was provisional before, of each of five companies.
    assert run_log(house)[-1] == "SUCCESS: 65 of 65 expected closes up to 2012-11-30 stored"
    for symbol in SYMBOLS:
        states = house.states(symbol)
        assert [day for day, state in states.items() if state == "provisional"] == ["2012-11-30"]
    assert (house.rows(PriceRevision), told(house)) == ([], [])
    assert house.command("coverage").exit_code == 0
