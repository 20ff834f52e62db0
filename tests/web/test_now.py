"""*Now*: what is stored decides whether all is right, not what the newest run said of itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from sqlalchemy import delete

from closingbell.jobs.price_updater import run_daily_price_update
from closingbell.jobs.runner import Occasion
from closingbell.models import PriceHistory
from closingbell.stores import summaries
from tests.app_fixtures import House
from tests.web.conftest import Site
from tests.web.test_pages import plain_text


def now_of(site: Site) -> str:
    """*Now* as a viewer reads it."""
    return plain_text(site.as_("viewer").text("/"))


def run_one(house: House, symbol: str) -> None:
    """The daily job for one company, as a person asks for it."""
    narrowed = replace(Occasion("manual"), arguments={"symbols": [symbol]})
    run_daily_price_update(house.context, narrowed, symbols=[symbol])


def lose(house: House, symbol: str, day: str) -> None:
    """A bar that was stored is gone."""
    company_id, on = house.company(symbol).id, date.fromisoformat(day)
    row = PriceHistory
    with house.context.database.write() as connection:
        connection.execute(delete(row).where(row.company_id == company_id, row.date == on))
        summaries.touch(connection, [(company_id, on)])


def test_a_run_of_one_company_hides_no_missing_close(site: Site) -> None:
    site.house.hold("AAPL", "NOSUCH", since="2012-11-29")
    site.house.run()
    assert "1 of 2 partial run 1" in now_of(site)
    run_one(site.house, "AAPL")
    assert "1 of 2 partial run 1" in now_of(site)


def test_what_a_later_run_brings_is_counted(site: Site) -> None:
    house = site.house
    house.hold("AAPL", "IBM", since="2012-11-29")
    house.run()
    lose(house, "IBM", "2012-11-30")
    assert "1 of 2" in now_of(site)
    house.refresh("IBM", on="2012-11-30", force=True)
    assert "2 of 2" in now_of(site)


def test_a_session_is_due_when_the_job_began_or_an_hour_after_it_should_have(site: Site) -> None:
    house = site.house
    house.hold("AAPL", "IBM", since="2012-11-29")
    house.run()
    # Monday's close, and nobody has run since Friday.
    house.at("2012-12-03 17:29")
    assert "2 of 2" in now_of(site)
    house.at("2012-12-03 17:30")
    assert "0 of 2" in now_of(site)
    run_one(house, "AAPL")
    assert "1 of 2" in now_of(site)


def test_what_is_sold_bought_later_or_closed_is_not_expected(site: Site) -> None:
    house = site.house
    house.hold("AAPL", "IBM", "MSFT", since="2012-11-29")
    house.run()
    house.orders("2012-11-30,SELL,IBM,10,1.00,0,USD")
    house.at("2012-12-03 15:00")
    house.command("close-company", "MSFT", "--on", "2012-11-30", "--why", "bought up")
    house.hold("GOOG", since="2012-12-03")
    assert "2 of 2" in now_of(site)
    house.at("2012-12-03 17:30")
    # Apple and Google.
    assert "0 of 2" in now_of(site)
