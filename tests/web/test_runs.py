"""The page *Runs*: what ran and what was skipped, on one line of time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from closingbell.models import JobLog, JobState, JobTick
from closingbell.queries.runs import Place, RunFilter, RunView, load_time_line, read_place
from tests.web.conftest import Site
from tests.web.test_pages import plain_text

NOON = datetime(2012, 11, 28, 17, tzinfo=UTC)
# job, minutes after noon, and why it was skipped or how it ended.
DAILY, SWEEP = "daily_price_update", "price_sweep"
STORY = (
    (DAILY, 0, "SUCCESS"),
    (SWEEP, 0, "overlap"),
    (DAILY, 10, "paused"),
    (DAILY, 20, "paused"),
    (SWEEP, 25, "FAILED"),
    (DAILY, 30, "SUCCESS"),
    (SWEEP, 30, "SUCCESS"),
    (SWEEP, 40, "holiday"),
)


@pytest.fixture
def told(site: Site) -> Site:
    """A house whose runs and due times are those of STORY, stored in another order than they happened."""
    with site.context.database.write() as connection:
        for name in (DAILY, SWEEP):
            connection.execute(insert(JobState).values(job_name=name, known_since=NOON, schedule="x"))
        for job, minutes, end in sorted(STORY, key=lambda one: one[2]):
            at = NOON + timedelta(minutes=minutes)
            skipped = None if end.isupper() else end
            tick = {"job_name": job, "fire_time": at, "decided_at": at, "done_at": at, "skipped": skipped}
            connection.execute(insert(JobTick).values(**tick))
            if skipped is None:
                run = {"job_name": job, "status": end, "started_at": at, "completed_at": at, "trigger": "schedule"}
                connection.execute(insert(JobLog).values(**run, fire_time=at, owner="o", heartbeat_at=at))
    return site


def line(site: Site, wanted: RunFilter | None = None, *, limit: int = 50) -> list[tuple[str, int, str]]:
    """Every page's entries one after the other."""
    found: list[tuple[str, int, str]] = []
    before = None
    while True:
        page = load_time_line(site.context.database, wanted or RunFilter(), before=before, limit=limit)
        for one in page.entries:
            at, end = (one.started_at, one.status) if isinstance(one, RunView) else (one.fire_time, one.reason)
            found.append((one.job_name, (at - NOON) // timedelta(minutes=1), end))
        if page.older is None:
            return found
        assert len(page.entries) == limit
        before = read_place(page.older.told())


NEWEST_FIRST = [
    (SWEEP, 40, "holiday"),
    (SWEEP, 30, "SUCCESS"),
    (DAILY, 30, "SUCCESS"),
    (SWEEP, 25, "FAILED"),
    (DAILY, 20, "paused"),
    (DAILY, 10, "paused"),
    (DAILY, 0, "SUCCESS"),
    (SWEEP, 0, "overlap"),
]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 50])
def test_skipped_times_stand_between_the_runs_on_pages_of_any_length(told: Site, limit: int) -> None:
    assert line(told, limit=limit) == NEWEST_FIRST


@pytest.mark.parametrize("limit", [1, 50])
def test_filters_choose_of_both(told: Site, limit: int) -> None:
    def chosen(**wanted: str) -> list[tuple[str, int, str]]:
        return line(told, RunFilter(**wanted), limit=limit)  # type: ignore[arg-type]

    assert chosen(job_name=DAILY) == [one for one in NEWEST_FIRST if one[0] == DAILY]
    assert chosen(status="FAILED") == [(SWEEP, 25, "FAILED")]
    assert chosen(status="SKIPPED", job_name=DAILY) == [(DAILY, 20, "paused"), (DAILY, 10, "paused")]
    assert [end for _, _, end in chosen(status="SKIPPED")] == ["holiday", "paused", "paused", "overlap"]
    # A skipped time has no companies.
    assert chosen(symbol="AAPL") == []
    assert line(told, RunFilter(since=NOON + timedelta(minutes=20)), limit=limit) == NEWEST_FIRST[:5]


def test_a_place_is_read_as_it_was_told_and_nothing_else_is_one() -> None:
    place = Place(datetime(2012, 11, 28, 17, 0, 0, 123456, tzinfo=UTC), "run", 12)
    assert place.told() == "2012-11-28T17:00:00.123456+00:00,run,12"
    assert read_place(place.told()) == place
    assert read_place("2012-11-28T17:00:00.123456 00:00,run,12") == place
    at = "2012-11-28T17:00:00+00:00"
    no_offset, too_early = f"{at[:19]},run,1", "0001-01-01T00:00:00+14:00,run,1"
    for text in ("", "12", "x,run,1", no_offset, f"{at},ran,1", f"{at},run,²", f"{at},run,", too_early):
        assert read_place(text) is None, text


def test_the_page_tells_what_was_skipped_and_why_and_goes_on(told: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("closingbell.web.runs.RUNS_A_PAGE", 3)
    browser = told.as_("viewer")
    page = browser.text("/runs")
    text = plain_text(page)
    assert "– price_sweep skipped holiday 2012-11-28 12:40 EST – – – – not run" in text
    assert "2012-11-28 12:30 EST" in text
    assert "12:20" not in text
    older = re.search(r'href="(/runs\?[^"]+)">Older', page)
    assert older is not None
    following = plain_text(browser.text(older[1].replace("&amp;", "&")))
    assert "price_sweep failed 2012-11-28 12:25 EST" in following
    assert "– daily_price_update skipped paused 2012-11-28 12:20 EST" in following
    # What is no place is the beginning.
    assert plain_text(browser.text("/runs?before=x")) == text
    assert "skipped overlap" in plain_text(browser.text("/runs?status=skipped&job=price_sweep"))
