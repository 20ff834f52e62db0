"""``/metrics`` as a scraper reads it."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import count
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from closingbell.jobs.intraday_updater import update_intraday_prices
from closingbell.jobs.maintenance import run_log_retention
from closingbell.jobs.price_updater import run_daily_price_update
from closingbell.jobs.runner import Occasion
from closingbell.stores import job_ticks
from closingbell.usecases import control, people
from tests.app_fixtures import new_york
from tests.web.conftest import Site, _quick_hash, site  # noqa: F401

_numbers = count(1)
DOCS = Path(__file__).parents[2] / "docs"


def text_of(site: Site) -> str:  # noqa: F811
    """What a scraper is told, each time with a token of its own."""
    name = f"prometheus {next(_numbers)}"
    token = people.create_token(site.context, name=name, scope="read", by="ann")
    response = site.house.app.test_client().get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 200
    assert response.content_type.startswith("text/plain; version=")
    return response.get_data(as_text=True)


def scraped(site: Site) -> dict[tuple[str, str | None], float]:  # noqa: F811
    """Every line: (name, job) and value."""
    return {
        (sample.name, sample.labels.get("job")): sample.value
        for family in text_string_to_metric_families(text_of(site))
        for sample in family.samples
    }


def test_a_scraper_needs_a_token(site: Site) -> None:  # noqa: F811
    client = site.house.app.test_client()
    for headers in ({}, {"Authorization": "Bearer cb_wrong"}):
        response = client.get("/metrics", headers=headers)
        assert (response.status_code, response.content_type) == (401, "application/problem+json")
    # A session is not a token.
    assert site.as_("administrator").get("/metrics").status_code == 401


def test_an_evening_in_figures(site: Site) -> None:  # noqa: F811
    house = site.house
    house.hold("AAPL", "NOSUCH", since="2012-11-29")
    house.run()
    control.pause_job(site.context, site.house.app.extensions["closingbell_jobs"], "price_sweep", by="ann", why=None)

    seen = scraped(site)

    daily = "daily_price_update"
    # The newest session's: Friday's of two companies.
    assert seen["closingbell_closes_expected", None] == 2
    assert seen["closingbell_closes_stored", None] == 1
    assert seen["closingbell_companies_incomplete", None] == 1
    assert seen["closingbell_scheduler_alive", None] == 0
    assert ("closingbell_scheduler_heartbeat_timestamp_seconds", None) not in seen
    assert seen["closingbell_incidents_open", None] == 1
    assert seen["closingbell_quarantined_bars", None] == 0
    assert seen["closingbell_job_last_run_failed_companies", daily] == 1
    assert seen["closingbell_job_running", daily] == 0
    # Partly failed is not a success.
    assert ("closingbell_job_last_success_timestamp_seconds", daily) not in seen
    # Monday 2012-12-03 16:30 in New York.
    assert seen["closingbell_job_next_run_timestamp_seconds", daily] == 1354570200
    assert (seen["closingbell_job_paused", "price_sweep"], seen["closingbell_job_paused", daily]) == (1, 0)


def test_a_run_of_one_company_clears_no_alert(site: Site) -> None:  # noqa: F811
    house = site.house
    house.hold("AAPL", "NOSUCH", since="2012-11-29")
    house.run()
    narrowed = replace(Occasion("manual"), arguments={"symbols": ["AAPL"]})
    assert run_daily_price_update(site.context, narrowed, symbols=["AAPL"]).status == "SUCCESS"

    seen = scraped(site)

    assert (seen["closingbell_closes_expected", None], seen["closingbell_closes_stored", None]) == (2, 1)
    assert seen["closingbell_companies_incomplete", None] == 1


def test_a_success_has_its_moment(site: Site) -> None:  # noqa: F811
    site.house.hold("AAPL", since="2012-11-29")
    site.house.run()
    seen = scraped(site)
    # Friday 2012-11-30 16:31 in New York, by the clock that stands still.
    assert seen["closingbell_job_last_success_timestamp_seconds", "daily_price_update"] == 1354311060


def test_what_all_runs_came_to(site: Site) -> None:  # noqa: F811
    house = site.house
    house.hold("AAPL", "NOSUCH", since="2012-11-29")
    house.run()
    # Due at 16:30, begun at 16:31.
    due = replace(Occasion("schedule"), fire_time=new_york("2012-11-30 16:30"))
    run_log_retention(site.context, due)

    lines = text_of(site).splitlines()

    assert [line for line in lines if line.startswith("closingbell_job_runs_total{") and not line.endswith(" 0.0")] == [
        'closingbell_job_runs_total{job="daily_price_update",status="partial"} 1.0',
        'closingbell_job_runs_total{job="log_retention",status="success"} 1.0',
    ]
    # A first failure of any job is a rise from zero.
    assert 'closingbell_job_runs_total{job="price_sweep",status="failed"} 0.0' in lines
    assert [line for line in lines if line.startswith("closingbell_symbols_total{")] == [
        'closingbell_symbols_total{job="daily_price_update",outcome="stored"} 1.0',
        'closingbell_symbols_total{job="daily_price_update",outcome="unchanged"} 0.0',
        'closingbell_symbols_total{job="daily_price_update",outcome="provisional"} 0.0',
        'closingbell_symbols_total{job="daily_price_update",outcome="quarantined"} 0.0',
        'closingbell_symbols_total{job="daily_price_update",outcome="missing"} 0.0',
        'closingbell_symbols_total{job="daily_price_update",outcome="failed"} 1.0',
        'closingbell_symbols_total{job="daily_price_update",outcome="skipped"} 0.0',
    ]
    # The clock stands still: neither run took any time.
    assert 'closingbell_job_run_duration_seconds_bucket{job="log_retention",le="0.5"} 1.0' in lines
    assert 'closingbell_job_run_duration_seconds_bucket{job="log_retention",le="+Inf"} 1.0' in lines
    assert 'closingbell_job_run_duration_seconds_count{job="daily_price_update"} 1.0' in lines
    assert [line for line in lines if line.startswith("closingbell_tick_lateness_seconds")] == [
        'closingbell_tick_lateness_seconds_bucket{job="log_retention",le="1.0"} 0.0',
        'closingbell_tick_lateness_seconds_bucket{job="log_retention",le="5.0"} 0.0',
        'closingbell_tick_lateness_seconds_bucket{job="log_retention",le="15.0"} 0.0',
        'closingbell_tick_lateness_seconds_bucket{job="log_retention",le="60.0"} 1.0',
        'closingbell_tick_lateness_seconds_bucket{job="log_retention",le="300.0"} 1.0',
        'closingbell_tick_lateness_seconds_bucket{job="log_retention",le="900.0"} 1.0',
        'closingbell_tick_lateness_seconds_bucket{job="log_retention",le="3600.0"} 1.0',
        'closingbell_tick_lateness_seconds_bucket{job="log_retention",le="14400.0"} 1.0',
        'closingbell_tick_lateness_seconds_bucket{job="log_retention",le="86400.0"} 1.0',
        'closingbell_tick_lateness_seconds_bucket{job="log_retention",le="+Inf"} 1.0',
        'closingbell_tick_lateness_seconds_count{job="log_retention"} 1.0',
        'closingbell_tick_lateness_seconds_sum{job="log_retention"} 60.0',
    ]


def test_age_of_a_price_counts_from_its_close_or_from_when_it_was_told(site: Site) -> None:  # noqa: F811
    house = site.house
    house.hold("AAPL", "IBM", since="2012-11-29")
    house.run()
    house.at("2012-12-01 16:00")
    # A day after Friday's close.
    assert 'closingbell_price_age_seconds{mic="XNYS"} 86400.0' in text_of(site).splitlines()
    house.command("watch", "AAPL")
    house.at("2012-12-03 11:00")
    update_intraday_prices(site.context)
    house.at("2012-12-03 11:10")
    # Told ten minutes ago, while the session runs.
    assert 'closingbell_price_age_seconds{mic="XNYS"} 600.0' in text_of(site).splitlines()


def test_scrape_counts_no_runs(site: Site) -> None:  # noqa: F811
    house = site.house
    house.hold("AAPL", since="2012-11-29")
    house.run()
    sent: list[str] = []
    event.listen(site.context.database.engine, "before_cursor_execute", lambda *told: sent.append(told[2]))
    text_of(site)

    asked = [statement for statement in sent if "FROM job_log" in statement]
    # The newest runs of each job, found by an index, and these by their numbers; never all of them.
    assert asked
    assert [one for one in asked if not ("LIMIT" in one or "job_log.id IN" in one) or "count(" in one] == []
    assert len([one for one in sent if "FROM run_total" in one]) == 1


# name, kind and labels of everything that a scraper is told.
ALL = {
    ("closingbell_closes_expected", "gauge", ()),
    ("closingbell_closes_stored", "gauge", ()),
    ("closingbell_companies_incomplete", "gauge", ()),
    ("closingbell_incidents_open", "gauge", ()),
    ("closingbell_job_last_run_duration_seconds", "gauge", ("job",)),
    ("closingbell_job_last_run_failed_companies", "gauge", ("job",)),
    ("closingbell_job_last_success_timestamp_seconds", "gauge", ("job",)),
    ("closingbell_job_next_run_timestamp_seconds", "gauge", ("job",)),
    ("closingbell_job_overdue", "gauge", ("job",)),
    ("closingbell_job_paused", "gauge", ("job",)),
    ("closingbell_job_run_duration_seconds", "histogram", ("job",)),
    ("closingbell_job_running", "gauge", ("job",)),
    ("closingbell_job_runs_total", "counter", ("job", "status")),
    ("closingbell_price_age_seconds", "gauge", ("mic",)),
    ("closingbell_quarantined_bars", "gauge", ()),
    ("closingbell_scheduler_alive", "gauge", ()),
    ("closingbell_scheduler_heartbeat_timestamp_seconds", "gauge", ()),
    ("closingbell_symbols_total", "counter", ("job", "outcome")),
    ("closingbell_tick_lateness_seconds", "histogram", ("job",)),
}


def test_every_metric_has_its_name_and_labels(site: Site) -> None:  # noqa: F811
    house = site.house
    house.hold("AAPL", since="2012-11-29")
    house.run()
    run_log_retention(site.context, replace(Occasion("schedule"), fire_time=new_york("2012-11-30 16:30")))
    wall = site.context.wall.now()
    site.context.database.write_unit(lambda connection: job_ticks.store_alive(connection, "host:1:1", wall=wall))

    told = set()
    for family in text_string_to_metric_families(text_of(site)):
        name = family.name + "_total" * (family.type == "counter")
        for sample in family.samples:
            told.add((name, family.type, tuple(sorted(sample.labels.keys() - {"le"}))))

    assert told == ALL


def test_every_metric_is_documented() -> None:
    told = re.findall(r"^\| `(closingbell_[a-z_]+)(?:\{([a-z,]+)\})?`", (DOCS / "metrics.md").read_text("utf-8"), re.M)
    assert {(name, tuple(labels.split(",")) if labels else ()) for name, labels in told} == {
        (name, labels) for name, _, labels in ALL
    }
