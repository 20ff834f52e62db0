"""Companies that were delisted or taken over: closed by a person, or because nobody knows them any more."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from closingbell.domain.runs import RunStatus
from closingbell.errors import SourceDownError, SymbolUnknownError
from closingbell.jobs.context import EXTENSION
from closingbell.jobs.intraday_updater import update_intraday_prices
from closingbell.models import CompanyDecision, JobLog, Notification, UnknownSymbol, User
from closingbell.providers.chain import ProviderChain
from closingbell.providers.health import HealthBook
from tests.app_fixtures import House, item, outcomes, recorded_rows
from tests.providers.stubs import StubProvider

WHY = "taken over"


def close(house: House, symbol: str, on: str) -> str:
    result = house.command("close-company", symbol, "--on", on, "--why", WHY, "--by", "Ann")
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def sessions_from(day: str) -> list[str]:
    """The recorded sessions from a day on."""
    return [row.date for row in recorded_rows("IBM") if row.date >= day]


# --- By a person.


def test_closed_company_is_expected_and_asked_for_no_longer(house: House) -> None:
    house.at("2012-11-28 16:31").hold("AAPL", "IBM", since="2012-11-26")
    house.run()

    told = close(house, "IBM", "2012-11-28")
    house.charts()
    summary = house.at("2012-11-30 16:31").run()

    assert told == "IBM is closed on 2012-11-28; its history stays\n"
    assert house.charts() == [("AAPL",)]
    assert (summary.status, outcomes(summary)) == (RunStatus.SUCCESS, {"AAPL": "stored"})
    assert list(house.closes("IBM")) == ["2012-11-26", "2012-11-27", "2012-11-28"]
    result = house.command("coverage")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[2:] == [
        "IBM     XNYS  2012-11-26  3         3       1            0        0           0            0",
        "IBM: closed on 2012-11-28: taken over",
        "8 of 8 expected closes of 2 companies stored; "
        "0 missing, 0 known gaps, 2 provisional, 0 quarantined, 0 unexpected",
    ]


def test_company_is_asked_for_on_its_last_day(house: House) -> None:
    house.at("2012-11-28 10:00").hold("IBM", since="2012-11-26")
    close(house, "IBM", "2012-11-29")

    house.at("2012-11-29 16:31").run()
    house.at("2012-11-30 16:31").run()

    assert list(house.closes("IBM")) == ["2012-11-26", "2012-11-27", "2012-11-28", "2012-11-29"]


def test_named_closed_company_is_skipped_with_its_reason_and_asked_by_force(house: House) -> None:
    house.at("2012-11-28 16:31").hold("IBM", since="2012-11-26")
    house.run()
    close(house, "IBM", "2012-11-28")
    house.charts()

    skipped = house.at("2012-11-30 16:31").refresh("IBM")

    assert (item(skipped, "IBM").outcome, item(skipped, "IBM").message) == (
        "skipped",
        "closed on 2012-11-28: taken over; closingbell reopen-company IBM opens it",
    )
    assert house.charts() == []
    forced = house.refresh("IBM", force=True)
    assert (house.charts(), forced.message) == ([("IBM",)], "3 of 3 expected closes up to 2012-11-30 stored")
    assert list(house.closes("IBM")) == ["2012-11-26", "2012-11-27", "2012-11-28"]


def test_closed_company_is_not_followed_through_the_session(house: House) -> None:
    house.at("2012-11-29 11:00").hold("IBM", since="2012-11-26")
    house.command("watch", "IBM", "AAPL")
    close(house, "IBM", "2012-11-28")

    summary = update_intraday_prices(house.context)

    assert outcomes(summary) == {"AAPL": "stored"}


def test_reopened_company_is_brought_up_to_date(house: House) -> None:
    house.at("2012-11-28 16:31").hold("IBM", since="2012-11-26")
    house.run()
    close(house, "IBM", "2012-11-28")
    house.at("2012-11-30 16:31").run()

    result = house.command("reopen-company", "IBM", "--why", "it goes on", "--by", "Ben")

    assert (result.exit_code, result.stdout) == (
        0,
        "IBM, closed on 2012-11-28, is open again; the next run asks for what is missing\n",
    )
    assert house.run().message.startswith("3 of 3 expected closes up to 2012-11-30 stored")
    assert len(house.closes("IBM")) == 5
    assert [(row.kind, str(row.date), row.decided_by, row.why) for row in house.rows(CompanyDecision)] == [
        ("closed", "2012-11-28", "Ann", "taken over"),
        ("reopened", "2012-11-28", "Ben", "it goes on"),
    ]


def test_bars_after_the_last_day_stay_and_are_unexpected(house: House) -> None:
    house.hold("IBM", since="2012-11-26")
    house.run()

    close(house, "IBM", "2012-11-28")

    result = house.at("2012-12-03 16:31").command("coverage", "--format", "json")
    [ibm] = json.loads(result.stdout)["companies"]
    assert (ibm["expected_count"], ibm["stored_count"], ibm["unexpected_dates"]) == (
        3,
        3,
        ["2012-11-29", "2012-11-30"],
    )
    assert len(house.closes("IBM")) == 5


def test_closing_is_listed(house: House) -> None:
    house.hold("IBM", since="2012-11-26")
    house.run()
    close(house, "IBM", "2012-11-28")

    [told] = json.loads(house.command("symbols", "--format", "json").stdout)

    assert (told["symbol"], told["closed_on"], told["closed_reason"]) == ("IBM", "2012-11-28", "taken over")
    assert "closed on 2012-11-28: taken over" in house.command("symbols").stdout


def test_wrong_closings_are_refused(house: House) -> None:
    house.hold("IBM", since="2012-11-26")

    def error(*arguments: str) -> str:
        result = house.command(*arguments)
        assert result.exit_code == 2
        return result.stderr

    assert error("reopen-company", "IBM", "--why", "x") == "error: IBM is not closed\n"
    assert error("close-company", "NOPE", "--on", "2012-11-28", "--why", "x") == (
        "error: no company of that symbol is known here: NOPE; closingbell symbols lists them\n"
    )
    assert error("close-company", "IBM", "--on", "2012-11-28", "--why", " ") == (
        "error: say why, for those who look later\n"
    )
    close(house, "IBM", "2012-11-28")
    assert error("close-company", "IBM", "--on", "2012-11-28", "--why", "x") == (
        "error: IBM is closed on 2012-11-28 already: taken over\n"
    )


# --- By itself.


@pytest.fixture
def three(tables_url: str, houses: Callable[..., House], no_waits: None) -> House:
    """A house that closes what is unknown on three sessions; an administrator is told, and IBM and AAPL are held."""
    house = houses(tables_url, "2012-11-14 16:31", close_unknown_after_sessions=3)
    house.context.database.write_unit(
        lambda c: c.execute(
            insert(User).values(
                email="root@example.org",
                password_hash="-",
                is_active=True,
                is_administrator=True,
                created_at=datetime(2012, 1, 1, tzinfo=UTC),
            )
        )
    )
    house.hold("AAPL", "IBM", since="2012-11-13")
    house.run()
    house.market.misbehave("IBM", "not_found")
    return house


def counted(house: House) -> list[tuple[int, str, str]]:
    rows = house.rows(UnknownSymbol, order="company_id")
    return [(row.session_count, str(row.first_session), str(row.last_session)) for row in rows]


def told_of_closing(house: House) -> list[str]:
    return [row.title for row in house.rows(Notification) if "was closed" in row.title]


def test_symbol_that_nobody_knows_on_three_sessions_is_closed_and_told(three: House) -> None:
    for day in ("2012-11-15", "2012-11-16"):
        assert three.at(f"{day} 16:31").run().status is RunStatus.PARTIAL
    assert counted(three) == [(2, "2012-11-15", "2012-11-16")]
    assert told_of_closing(three) == []

    summary = three.at("2012-11-19 16:31").run()

    assert summary.message.endswith("; closed IBM, which nobody knows")
    assert (str(three.company("IBM").closed_on), three.company("IBM").closed_reason) == (
        "2012-11-14",
        "no provider knew IBM on 3 sessions, from 2012-11-15 to 2012-11-19",
    )
    assert counted(three) == []
    [message] = [row for row in three.rows(Notification) if "was closed" in row.title]
    assert (message.title, message.level) == ("IBM was closed: nobody knows it", "warning")
    assert "closingbell rename-symbol IBM NEW --from DATE" in message.body
    assert [(row.kind, row.decided_by) for row in three.rows(CompanyDecision)] == [("closed", "closingbell")]
    three.market.clear_log()
    assert three.at("2012-11-20 16:31").run().status is RunStatus.SUCCESS
    assert {symbol for record in three.market.requests for symbol in record.symbols} == {"AAPL"}
    assert three.command("coverage").exit_code == 0


def test_session_counts_once_however_often_it_is_asked_for(three: House) -> None:
    for hour in ("16:31", "17:00", "18:00", "19:00"):
        three.at(f"2012-11-15 {hour}").run()

    assert counted(three) == [(1, "2012-11-15", "2012-11-15")]


def test_count_is_kept_when_everything_is_started_anew(three: House, houses: Callable[..., House]) -> None:
    three.at("2012-11-15 16:31").run()
    three.at("2012-11-16 16:31").run()

    again = houses(three.url, "2012-11-19 16:31", close_unknown_after_sessions=3)
    again.market.misbehave("IBM", "not_found")
    again.run()

    assert str(again.company("IBM").closed_on) == "2012-11-14"


@pytest.mark.one_database
@pytest.mark.parametrize("fault", ["server_error", "rate_limited", "garbage", "html_page"])
def test_provider_that_is_down_neither_counts_nor_begins_anew(three: House, fault: str) -> None:
    three.at("2012-11-15 16:31").run()
    three.market.behave()
    three.market.misbehave("IBM", fault)
    for day in ("2012-11-16", "2012-11-19", "2012-11-20"):
        three.at(f"{day} 16:31").run()
    assert counted(three) == [(1, "2012-11-15", "2012-11-15")]
    three.market.behave()
    three.market.misbehave("IBM", "not_found")

    three.at("2012-11-21 16:31").run()

    assert counted(three) == [(2, "2012-11-15", "2012-11-21")]
    assert three.company("IBM").closed_on is None


def test_symbol_counts_only_when_every_provider_calls_it_unknown(three: House) -> None:
    down = StubProvider("other", error=SourceDownError("other is down"))
    health = HealthBook(three.folder / "health", clock=three.clock)
    yahoo = three.context.open_provider()
    three.context = replace(three.context, open_provider=lambda: ProviderChain([yahoo, down], health=health))
    three.app.extensions[EXTENSION] = three.context
    for day in ("2012-11-15", "2012-11-16", "2012-11-19"):
        summary = three.at(f"{day} 16:31").run()

    assert item(summary, "IBM").error_kind == "symbol_doubted"
    assert (counted(three), three.company("IBM").closed_on) == ([], None)
    down.error = SymbolUnknownError("other does not know it either")
    for day in ("2012-11-20", "2012-11-21", "2012-11-23"):
        three.at(f"{day} 16:31").run()

    assert str(three.company("IBM").closed_on) == "2012-11-14"


def test_an_answer_begins_the_count_anew(three: House) -> None:
    three.at("2012-11-15 16:31").run()
    three.at("2012-11-16 16:31").run()
    three.market.behave()
    three.at("2012-11-19 16:31").run()
    assert counted(three) == []
    three.market.misbehave("IBM", "not_found")

    three.at("2012-11-20 16:31").run()
    three.at("2012-11-21 16:31").run()

    assert counted(three) == [(2, "2012-11-20", "2012-11-21")]
    assert three.company("IBM").closed_on is None


def test_symbol_that_never_had_a_bar_is_closed_before_it_was_asked_for(three: House) -> None:
    three.market.behave()
    three.at("2012-11-15 16:31").hold("TYPO", since="2012-11-14")
    for day in ("2012-11-15", "2012-11-16", "2012-11-19"):
        three.at(f"{day} 16:31").run()

    assert str(three.company("TYPO").closed_on) == "2012-11-14"


def test_zero_sessions_never_close_anything(tables_url: str, houses: Callable[..., House], no_waits: None) -> None:
    house = houses(tables_url, "2012-11-14 16:31", close_unknown_after_sessions=0)
    house.hold("NOPE", since="2012-11-13")
    for day in sessions_from("2012-11-14")[:12]:
        house.at(f"{day} 16:31").run()

    assert house.company("NOPE").closed_on is None
    assert counted(house)[0][0] == 12
    assert {row.status for row in house.rows(JobLog)} == {"FAILED"}


def test_renamed_after_it_was_closed_it_is_open_again(three: House) -> None:
    for day in ("2012-11-15", "2012-11-16", "2012-11-19"):
        three.at(f"{day} 16:31").run()

    result = three.command("rename-symbol", "IBM", "MSFT", "--from", "2012-11-15")

    assert result.stdout.splitlines()[1:] == [
        "it had been closed because nobody knew IBM; it is open again",
    ]
    assert three.company("MSFT").closed_on is None
