"""Eight processes, each a scheduler, on one database: every due time is recorded once and run once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from closingbell.models import JobLog, JobTick
from closingbell.stores.database import Database
from tests.scheduling.fleet import (
    completed_counts,
    fleet,
    prepare,
    rows,
    soon,
    tick_counts,
    wait_until,
    waiting,
)
from tests.scheduling.quick_jobs import QUICK, Plan, environment

PROCESSES = 8


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [14, pytest.param(60, marks=pytest.mark.soak)])
def test_eight_schedulers_run_every_due_time_once(
    seconds: int, tables_url: str, database: Database, tmp_path: Path
) -> None:
    plan = Plan(QUICK, soon(6).isoformat(), every_s=2, count=seconds // 2)
    due = {(name, at) for name in QUICK for at in plan.series.all()}
    assert len(due) == 5 * seconds // 2
    prepare(tables_url, tmp_path, plan)

    with fleet(tmp_path / "fleet", tables_url, **environment(plan)) as processes:
        for _ in range(PROCESSES):
            processes.start_scheduler()
        processes.await_started()
        wait_until(
            lambda: len(completed_counts(database)) == len(due) and not waiting(database),
            within_s=seconds + 100,
            what="every due time was run",
        )
        # Whoever were to run one twice gets the time for it.
        time.sleep(3)
        endings = [child.end() for child in processes.children]

        assert processes.complaints() == []
        assert endings == [0] * PROCESSES
    assert tick_counts(database) == dict.fromkeys(due, 1)
    assert completed_counts(database) == dict.fromkeys(due, 1)
    assert {tick.skipped for tick in rows(database, JobTick)} == {None}
    runs = rows(database, JobLog)
    assert len(runs) == len(due)
    assert {(run.status, run.attempt, run.ended_by) for run in runs} == {("SUCCESS", 1, None)}
    assert {run.active_key for run in runs} == {None}
