"""``/metrics`` as a scraper reads it."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from closingbell.api.metrics import OF_A_JOB, OF_ALL
from closingbell.usecases import control, people
from tests.web.conftest import Site, _quick_hash, site, sqlite_tables_url  # noqa: F401

DOCS = Path(__file__).parents[2] / "docs"


def scraped(site: Site) -> dict[tuple[str, str | None], float]:  # noqa: F811
    """Every line: (name, job) and value."""
    token = people.create_token(site.context, name="prometheus", scope="read", by="ann")
    response = site.house.app.test_client().get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 200
    assert response.content_type.startswith("text/plain; version=")
    return {
        (sample.name, sample.labels.get("job")): sample.value
        for family in text_string_to_metric_families(response.get_data(as_text=True))
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
    assert seen["closingbell_closes_expected", None] == 4
    assert seen["closingbell_closes_stored", None] == 2
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


def test_a_success_has_its_moment(site: Site) -> None:  # noqa: F811
    site.house.hold("AAPL", since="2012-11-29")
    site.house.run()
    seen = scraped(site)
    # Friday 2012-11-30 16:31 in New York, by the clock that stands still.
    assert seen["closingbell_job_last_success_timestamp_seconds", "daily_price_update"] == 1354311060


def test_every_metric_is_documented() -> None:
    told = set(re.findall(r"`closingbell_([a-z_]+)", (DOCS / "metrics.md").read_text(encoding="utf-8")))
    assert told == {name for name, _, _ in (*OF_A_JOB, *OF_ALL)}
