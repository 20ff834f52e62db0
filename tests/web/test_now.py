"""*Now*: what is stored decides whether all is right, not what the newest run said of itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import delete

from closingbell.jobs.price_updater import run_daily_price_update
from closingbell.jobs.runner import Occasion
from closingbell.models import PriceHistory
from closingbell.queries.now import look
from closingbell.stores import job_ticks, summaries
from closingbell.usecases import control
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


def test_where_thousands_are_held_a_count_is_kept_till_a_run_ends(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    house = site.house
    house.hold("AAPL", "IBM", since="2012-11-29")
    house.run()
    monkeypatch.setattr("closingbell.queries.now._COMPANIES_A_SECOND", 0.01)
    assert "2 of 2" in now_of(site)
    lose(house, "IBM", "2012-11-30")
    # Two companies, each of which now counts as a hundred seconds.
    assert "2 of 2" in now_of(site)
    pause(site, "log_retention")
    assert "paused by ann" in now_of(site)
    monkeypatch.setattr("closingbell.queries.now._COMPANIES_A_SECOND", 1_000)
    house.market.misbehave("IBM", "server_error")
    house.run()
    assert "1 of 2" in now_of(site)


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


def alive(site: Site) -> None:
    """A scheduler is seen now."""
    wall = site.context.wall.now()
    site.context.database.write_unit(lambda connection: job_ticks.store_alive(connection, "host:1:1", wall=wall))


def pause(site: Site, job: str) -> None:
    """A person pauses a job."""
    control.pause_job(site.context, site.house.app.extensions["closingbell_jobs"], job, by="ann", why=None)


def test_all_is_right_when_nothing_is_wrong(site: Site) -> None:
    site.house.hold("AAPL", since="2012-11-29")
    site.house.run()
    alive(site)
    assert "Everything all right? Yes Scheduler alive" in now_of(site)
    # What is of lesser weight may be switched off.
    pause(site, "log_retention")
    assert "Everything all right? Yes Scheduler alive" in now_of(site)


@pytest.mark.parametrize("job", ["daily_price_update", "price_sweep", "dividend_processor"])
def test_a_job_that_matters_is_not_paused_in_silence(site: Site, job: str) -> None:
    site.house.hold("AAPL", since="2012-11-29")
    site.house.run()
    alive(site)
    pause(site, job)
    assert f"Everything all right? Look below ! {job} is paused Scheduler alive" in now_of(site)


def test_a_job_that_matters_is_not_disabled_in_silence(site: Site) -> None:
    context, registry = site.context, site.house.app.extensions["closingbell_jobs"]
    alive(site)
    at = {"now": context.clock.now(), "wall": context.wall.now()}
    seen = look(context.database, registry, **at, disabled=frozenset({"price_sweep", "log_retention"}))
    assert seen.troubles == ("price_sweep is disabled",)


def test_a_job_that_nobody_ran_is_a_trouble(site: Site) -> None:
    since = site.context.clock.now()
    site.context.database.write_unit(lambda c: job_ticks.store_known(c, "log_retention", "daily", now=since))
    site.house.at("2012-12-01 16:00")
    alive(site)
    assert "Look below ! log_retention is overdue Scheduler alive" in now_of(site)


def test_a_week_without_the_daily_job_is_seen_in_the_prices(site: Site) -> None:
    house = site.house
    house.hold("AAPL", "IBM", since="2012-11-29")
    house.run()
    assert "Newest stored close of XNYS: Fri 2012-11-30 Newest closed session: Fri 2012-11-30" in now_of(site)
    pause(site, "daily_price_update")
    house.at("2012-12-07 18:00")
    alive(site)

    text = now_of(site)

    assert "! prices of XNYS end on 2012-11-30, its session of 2012-12-07 is missing" in text
    assert "! daily_price_update is paused" in text
    assert "stale Newest stored close of XNYS: Fri 2012-11-30 Newest closed session: Fri 2012-12-07" in text


def test_what_a_whole_run_left_is_a_trouble_till_it_is_there(site: Site) -> None:
    house = site.house
    house.hold("AAPL", "NOSUCH", since="2012-11-29")
    house.run()
    alive(site)
    text = now_of(site)
    assert "! 1 incident open" in text
    assert "! 1 close of XNYS missing on 2012-11-30" in text
    assert "! 1 company without a close that run 1 should have brought" in text


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


def test_shares_that_were_split_and_sold_are_not_expected(site: Site) -> None:
    house = site.house
    house.at("2012-11-30 16:31").hold("AAPL", "IBM", since="2012-11-26")
    added = house.command(
        "actions", "add", "IBM", "split", "--ex-date", "2012-11-28", "--ratio", "2:1", "--why", "told"
    )
    assert added.exit_code == 0, added.output
    house.run()
    assert "2 of 2" in now_of(site)
    # Ten that were bought are twenty now; all are sold, though the numbers as ordered leave ten.
    house.orders("2012-11-29,SELL,IBM,20,1.00,0,USD")
    assert "1 of 1" in now_of(site)
