"""Stories of days that are shorter than others, or none at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from closingbell.domain.runs import RunStatus
from closingbell.jobs.intraday_updater import update_intraday_prices
from closingbell.models import PriceRevision
from closingbell.replay import Market, RecordedMarket
from tests.app_fixtures import SYMBOLS, House
from tests.scenarios.stories.telling import last_item, require_recorded, run_log, told

UNKNOWN_STORM = "2012-11-28"


def test_half_day_after_thanksgiving(house: House) -> None:
    """On Friday 2012-11-23 the exchange closes at 13:00. Apple is watched, and followed until then and no longer.

    The daily run of the afternoon stores the session's own bar; Thanksgiving itself is no session.
    """
    house.at("2012-11-21 16:31").hold("AAPL", "IBM", since="2012-11-19")
    house.run()
    house.command("watch", "AAPL")

    house.at("2012-11-22 12:00")
    holiday = update_intraday_prices(house.context)
    assert house.at("2012-11-22 16:31").run().status is RunStatus.SUCCESS
    house.at("2012-11-23 12:45")
    update_intraday_prices(house.context)
    assert house.bars("AAPL")[-1].flag == "intraday"
    house.at("2012-11-23 13:00")
    update_intraday_prices(house.context)
    house.at("2012-11-23 13:15")
    after = update_intraday_prices(house.context)
    assert house.at("2012-11-23 16:31").run().status is RunStatus.SUCCESS

    assert holiday.message == "XNYS is closed until 2012-11-23 09:30 EST"
    assert after.message == "XNYS is closed until 2012-11-26 09:30 EST"
    require_recorded(house, "AAPL", "IBM", since="2012-11-19", until="2012-11-23")
    assert "2012-11-22" not in house.closes("AAPL")
    # The evening's bar took the place of the day's without a revision.
    assert ([bar.flag for bar in house.bars("AAPL")], house.rows(PriceRevision)) == ([None] * 4, [])
    assert run_log(house)[-1] == "SUCCESS: 2 of 2 expected closes up to 2012-11-23 stored"
    assert told(house) == []


def test_storm_that_the_calendar_knows(house: House) -> None:
    """Sandy closes the exchange on 2012-10-29 and 30, and the calendar has it: nothing is expected, nobody has to act.

    A person who wants to close the day all the same is told that there is no session to close.
    """
    house.at("2012-10-26 16:31").hold(*SYMBOLS, since="2012-10-24")
    house.run()

    for day in ("2012-10-29", "2012-10-30"):
        assert house.at(f"{day} 16:31").run().status is RunStatus.SUCCESS
    refused = house.command("closures", "add", "XNYS", "2012-10-29", "storm")
    house.at("2012-10-31 16:31").run()

    assert (refused.exit_code, refused.stderr) == (2, "error: 2012-10-29: XNYS has no session on this date\n")
    require_recorded(house, *SYMBOLS, since="2012-10-24", until="2012-10-31")
    assert [line.split(": ")[0] for line in run_log(house)] == ["SUCCESS"] * 4
    assert run_log(house)[-1] == "SUCCESS: 5 of 5 expected closes up to 2012-10-31 stored"
    assert told(house) == []
    assert (
        house.command("coverage").stdout.splitlines()[-1].startswith("20 of 20 expected closes of 5 companies stored")
    )


@pytest.fixture
def stormy(house: House, houses: Callable[..., House], market: RecordedMarket) -> House:
    """The same database before a market in which the exchange was closed on a day that the calendar calls a session."""
    listings = [
        replace(one, bars=tuple(bar for bar in one.bars if str(bar.date) != UNKNOWN_STORM)) for one in market.listings
    ]
    return houses(house.url, "2012-11-27 16:31", market=Market(listings))


def test_storm_that_the_calendar_does_not_know(stormy: House) -> None:
    """On Wednesday 2012-11-28 the exchange stays closed, and the calendar has not heard of it.

    Every company is missing a bar, Root is told, Ann closes the session, and from then on all is well.
    """
    stormy.hold(*SYMBOLS, since="2012-11-26")
    stormy.run()

    wednesday = stormy.at("2012-11-28 16:31").run()
    assert wednesday.status is not RunStatus.SUCCESS
    assert last_item(stormy, "IBM") == ("missing", "missing", "2012-11-28: the provider has no bar yet")
    assert stormy.command("coverage").exit_code == 1
    closed = stormy.command("closures", "add", "XNYS", UNKNOWN_STORM, "a storm", "--by", "Ann")
    assert closed.stdout == "XNYS is closed on 2012-11-28\n"
    assert stormy.command("coverage").exit_code == 0
    thursday = stormy.at("2012-11-29 16:31").run()
    friday = stormy.at("2012-11-30 16:31").run()

    assert (thursday.status, friday.status) == (RunStatus.SUCCESS, RunStatus.SUCCESS)
    require_recorded(stormy, *SYMBOLS, since="2012-11-26", until="2012-11-30", without=(UNKNOWN_STORM,))
    assert run_log(stormy)[1].endswith("5 missing")
    assert run_log(stormy)[-1] == "SUCCESS: 5 of 5 expected closes up to 2012-11-30 stored"
    assert [title.split(" (")[0] for title in told(stormy)][-1] == "daily_price_update works again"
    assert stormy.command("closures", "list").stdout.splitlines()[1].split()[:6] == [
        *("XNYS", "2012-11-28", "a", "storm", "Ann", "2012-11-28"),
    ]
