"""The database goes away in the middle of a run: the run finishes or is taken up again, and nothing is lost."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from closingbell.models import Base, JobLog, JobTick
from closingbell.stores.database import open_database
from tests.scheduling.fleet import completed_counts, rows, running, tick_counts, wait_until, waiting
from tests.scheduling.market_day import SESSIONS, MarketDay, clones, market_day
from tests.scheduling.quick_jobs import Plan
from tests.scheduling.servers import private_server

COMPANIES = 80
# Runs of prices of about two seconds, in chunks.
PLAN = Plan(("daily_price_update", "quick_1"), "3", every_s=4, count=3, chunk=4)


def _await_middle(day: MarketDay) -> None:
    """Wait until a run has stored a part of what it will store."""
    wait_until(
        lambda: any(0 < run.stocks_processed < COMPANIES for run in running(day.context.database)),
        within_s=60,
        what="a run is in its middle",
    )


def _assert_nothing_is_lost(day: MarketDay) -> None:
    database = day.context.database
    due = {(name, at) for name in PLAN.jobs for at in day.plan.series.all()}
    wait_until(
        lambda: len(tick_counts(database)) == len(due) and not waiting(database) and not running(database),
        within_s=90,
        what="everything due was run",
    )
    assert tick_counts(database) == dict.fromkeys(due, 1)
    assert completed_counts(database) == dict.fromkeys(due, 1)
    assert {tick.skipped for tick in rows(database, JobTick)} == {None}
    assert day.bar_counts() == dict.fromkeys(clones(COMPANIES), SESSIONS)


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["mariadb", "postgresql"])
def test_server_restarted_in_the_middle_of_a_run_loses_nothing(dialect: str, tmp_path: Path) -> None:
    with private_server(dialect) as (server, url):
        tables = open_database(url)
        Base.metadata.create_all(tables.engine)
        tables.dispose()
        with market_day(tmp_path, url, PLAN, companies=COMPANIES) as day:
            # A run whose end could not be written either is taken up when its lease has run out.
            day.start_scheduler(lease_s=8, heartbeat_s=1)
            day.processes.await_started()
            _await_middle(day)

            server.stop()
            time.sleep(3)
            server.start()

            _assert_nothing_is_lost(day)
            [scheduler] = day.processes.children
            assert scheduler.end() == 0
            assert "Traceback" not in scheduler.said


@pytest.mark.slow
def test_sqlite_locked_by_another_writer_for_ten_seconds_delays_the_run_and_no_more(
    sqlite_url: str, tmp_path: Path
) -> None:
    tables = open_database(sqlite_url)
    Base.metadata.create_all(tables.engine)
    with market_day(tmp_path, sqlite_url, PLAN, companies=COMPANIES) as day:
        day.start_scheduler()
        day.processes.await_started()
        _await_middle(day)
        [before] = [run for run in running(day.context.database) if run.job_name == "daily_price_update"]

        with tables.write():
            time.sleep(10)

        _assert_nothing_is_lost(day)
        [run] = [row for row in rows(day.context.database, JobLog) if row.tick_id == before.tick_id]
        assert (run.id, run.status, run.attempt, run.stocks_processed) == (before.id, "SUCCESS", 1, COMPANIES)
        assert day.processes.complaints() == []
    tables.dispose()
