"""Pay dates, asked for while they are current: autumn 2012 on the recorded market."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from closingbell.domain.runs import RunStatus
from closingbell.jobs.pay_dates import ActionNews, gather_action_news
from closingbell.models import AnnouncedDividend, CalendarQuestion, CorporateActionRow, CorporateActionVersion
from closingbell.replay import RecordedMarket
from closingbell.replay.market import Market
from tests.app_fixtures import House


def news(house: House, now: str) -> ActionNews:
    """What a dividend job asks for first."""
    with house.at(now).app.app_context():
        return gather_action_news(house.context)


def pay_dates(house: House) -> dict[str, str]:
    """Pay date and its status of every action, by ex-date."""
    rows = house.rows(CorporateActionRow, order="ex_date")
    return {str(row.ex_date): f"{row.pay_date} {row.pay_date_status}" for row in rows}


def announced(house: House) -> list[tuple[str, str]]:
    return [(str(row.ex_date), str(row.pay_date)) for row in house.rows(AnnouncedDividend, order="ex_date")]


def calendars_asked(house: House) -> int:
    return sum(record.endpoint == "summary" for record in house.market.requests)


@pytest.fixture
def new_york_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server on New York time."""
    monkeypatch.setitem(os.environ, "TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_pay_date_is_captured_between_ex_date_and_payment(house: House, new_york_server: None) -> None:
    house.at("2012-11-09 16:31").hold("AAPL", "IBM", "MSFT", since="2012-11-01")
    house.run()

    assert news(house, "2012-11-09 17:00") == ActionNews(asked_count=2, failed_count=0, pay_date_count=2)

    dated = {(row.company_id, str(row.pay_date)) for row in house.rows(CorporateActionRow)}
    assert dated == {
        (house.company("AAPL").id, "2012-11-15"),
        (house.company("IBM").id, "2012-12-10"),
    }
    reasons = {row.reason for row in house.rows(CorporateActionVersion, order="version") if row.version == 2}
    assert reasons == {"announced to be paid on 2012-11-15", "announced to be paid on 2012-12-10"}


def test_pay_date_that_is_known_is_not_asked_for_again(house: House) -> None:
    house.at("2012-11-09 16:31").hold("AAPL", since="2012-11-01")
    house.run()
    news(house, "2012-11-09 17:00")

    assert news(house, "2012-11-12 16:00") == ActionNews()
    assert calendars_asked(house) == 1


def test_calendar_is_asked_before_the_ex_date_that_is_expected(house: House) -> None:
    """IBM paid on 02-08, 05-08 and 08-08: the next ex-date is expected early in November."""
    house.at("2012-10-15 16:31").hold("IBM", since="2012-01-03")
    house.run()

    assert news(house, "2012-11-01 16:00").asked_count == 1
    assert announced(house) == [("2012-11-07", "2012-12-10")]
    house.at("2012-11-08 16:31").run()
    # The calendar spoke of it before the ex-date; nobody needs to be asked now.
    house.market.misbehave("IBM", "server_error", endpoint="summary")
    news(house, "2012-11-08 17:00")

    assert pay_dates(house)["2012-11-07"] == "2012-12-10 CONFIRMED"


def test_calendar_of_another_dividend_dates_nothing(house: House) -> None:
    """On 2012-08-24 the calendar still tells of 08-08 for IBM, whose pay date nobody recorded."""
    house.at("2012-08-24 16:31").hold("IBM", since="2012-07-02")
    house.run()

    news(house, "2012-08-24 17:00")

    assert pay_dates(house) == {"2012-08-08": "None UNKNOWN"}
    assert announced(house) == [("2012-08-08", "None")]


def test_failing_calendar_stops_nothing_and_is_asked_again_tomorrow(house: House) -> None:
    house.at("2012-11-09 16:31").hold("AAPL", "IBM", since="2012-11-01")
    house.run()
    house.market.misbehave("AAPL", "server_error", endpoint="summary")

    assert news(house, "2012-11-09 17:00") == ActionNews(asked_count=2, failed_count=1, pay_date_count=1)
    assert news(house, "2012-11-09 18:00").asked_count == 0
    house.market.behave()
    assert news(house, "2012-11-12 16:00") == ActionNews(asked_count=1, failed_count=0, pay_date_count=1)
    outcomes: list[Any] = [row.outcome for row in house.rows(CalendarQuestion, order="company_id")]
    assert outcomes == ["answered", "answered"]


def test_date_that_a_person_gave_stays(house: House) -> None:
    house.at("2012-11-09 16:31").hold("AAPL", since="2012-11-01")
    house.run()
    with house.context.database.write() as connection:
        connection.exec_driver_sql("UPDATE corporate_action SET pay_date = '2012-11-16', is_user_entered = true")

    news(house, "2012-11-09 17:00")

    assert pay_dates(house) == {"2012-11-07": "2012-11-16 UNKNOWN"}


def test_fund_without_a_calendar_keeps_its_prices(
    tables_url: str, houses: Callable[..., House], market: RecordedMarket, no_waits: None
) -> None:
    listing = market.find("IBM")
    assert listing is not None
    fund = replace(listing, instrument_type="ETF")
    house = houses(tables_url, "2012-11-09 16:31", market=Market([fund]))
    house.hold("IBM", since="2012-11-01")
    house.run()

    assert news(house, "2012-11-09 17:00") == ActionNews(asked_count=1, failed_count=1)

    assert [row.outcome for row in house.rows(CalendarQuestion, order="company_id")] == ["no_data"]
    assert house.at("2012-11-12 16:31").run().status is RunStatus.SUCCESS
