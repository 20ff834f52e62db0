"""``kill -9``, again and again, while prices are fetched: nothing is left behind, done twice or missing."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from pathlib import Path

import pytest

from closingbell.models import JobLog, JobTick, QuarantinedBar
from closingbell.stores.database import Database
from tests.scheduling.fleet import (
    completed_counts,
    dead_but_running,
    rows,
    running,
    tick_counts,
    wait_until,
    waiting,
)
from tests.scheduling.market_day import SESSIONS, MarketDay, clones, market_day
from tests.scheduling.quick_jobs import Plan

PROCESSES = 4
COMPANIES = 60
JOBS = ("daily_price_update", "quick_1", "quick_2")
# On one host a dead owner is seen within a second; the machine may be busy. The lease is 60 s.
CLOSED_WITHIN_S = 30.0


class _Orphans:
    """How long runs of dead processes stay marked RUNNING."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[int, float] = {}
        self.longest_s = 0.0

    def look(self) -> None:
        now, dead = time.monotonic(), dead_but_running(self._database)
        self._seen = {run_id: self._seen.get(run_id, now) for run_id in dead}
        self.longest_s = max([self.longest_s, *(now - since for since in self._seen.values())])


def _kill_one(day: MarketDay, database: Database, *, at_work: bool) -> None:
    """Kill a random process, or the one that carries out a run of prices, and start another in its place."""
    alive = [child for child in day.processes.children if child.process.poll() is None]
    busy = [
        child
        for child in alive
        if any(run.job_name == "daily_price_update" and child.owns(run.owner) for run in running(database))
    ]
    random.choice(busy if at_work and busy else alive).kill()
    day.start_scheduler()


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [12, pytest.param(60, marks=pytest.mark.soak)])
def test_processes_killed_every_second_leave_nothing_behind(
    seconds: int, tables_url: str, database: Database, tmp_path: Path
) -> None:
    plan = Plan(JOBS, "8", every_s=3, count=seconds // 3 + 1, chunk=4)
    with market_day(tmp_path, tables_url, plan, companies=COMPANIES) as day:
        for _ in range(PROCESSES):
            day.start_scheduler()
        day.processes.await_started()
        wait_until(lambda: running(database), within_s=60, what="a run began")
        orphans = _Orphans(database)
        for second in range(seconds):
            _kill_one(day, database, at_work=second % 2 == 0)
            ends_at = time.monotonic() + 1
            while time.monotonic() < ends_at:
                orphans.look()
                time.sleep(0.2)

        due = {(name, at) for name in JOBS for at in day.plan.series.all()}
        wait_until(
            lambda: len(tick_counts(database)) == len(due) and not waiting(database),
            within_s=120,
            what="everything due was run or given up",
        )
        # Dividends are looked at after each daily run, in a run of their own.
        wait_until(lambda: not running(database), within_s=60, what="what followed the last run ended")
        orphans.look()
        assert orphans.longest_s < CLOSED_WITHIN_S
        # Deaths and what follows from them; no process complained of anything else.
        allowed = ("run.orphaned", "run.ended_badly", "run.lost", "run.failed")
        assert day.processes.complaints(allowed=allowed) == []
        stored = day.bar_counts()

    assert tick_counts(database) == dict.fromkeys(due, 1)
    attempts = defaultdict(list)
    for run in rows(database, JobLog):
        if run.job_name in JOBS:
            attempts[run.tick_id].append((run.attempt, run.ended_by))
    assert None not in attempts
    for of_tick in attempts.values():
        # Every attempt but the last one was cut off; the last one came to its end unless it was the third.
        assert [number for number, _ in of_tick] == list(range(1, len(of_tick) + 1))
        assert {ended for _, ended in of_tick[:-1]} <= {"orphaned"}
        assert of_tick[-1][1] is None or (len(of_tick), of_tick[-1][1]) == (3, "orphaned")
    assert set(completed_counts(database).values()) == {1}
    assert sum(ended == "orphaned" for of_tick in attempts.values() for _, ended in of_tick) > 0
    assert {tick.skipped for tick in rows(database, JobTick)} == {None}
    assert stored == dict.fromkeys(clones(COMPANIES), SESSIONS)
    assert rows(database, QuarantinedBar) == []
