"""Old runs and due times: what goes, what stays, and in how small steps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from closingbell.domain.runs import ItemOutcome, Outcome, RunStatus
from closingbell.domain.schedules import Daily
from closingbell.jobs import maintenance
from closingbell.jobs.maintenance import run_log_retention
from closingbell.jobs.runner import Occasion
from closingbell.models import JobLog, JobLogItem, JobTick
from closingbell.stores import job_log, job_ticks, retention
from tests.scheduling.desk import NAME, Desk, desk_on
from tests.scheduling.fleet import rows

NOW = "2027-06-30 12:00"
OWNER = "another.host.invalid:1:1"


@pytest.fixture
def desk(tables_url: str, tmp_path: Path) -> Iterator[Desk]:
    """Keeps 90 days of successes, a year of failures, and the newest three of each job."""
    with desk_on(tables_url, tmp_path, NOW, Daily(time(6, 0)), job_log_keep_runs=3) as made:
        yield made


def leave(
    desk: Desk, days_ago: int, *, job: str = NAME, status: str = "SUCCESS", with_tick: bool = True, item: bool = False
) -> int:
    """A run that ended so many days ago; at a due time of its own unless a person asked for it."""
    at = desk.clock.now() - timedelta(days=days_ago)

    def unit(connection: object) -> int:
        tick_id = None
        if with_tick:
            job_ticks.store_ticks(connection, job, [(at, None)], now=at)  # type: ignore[arg-type]
            [tick_id] = [t.id for t in job_ticks.load_waiting(connection, job)]  # type: ignore[arg-type]
            job_ticks.finish_tick(connection, tick_id, now=at)  # type: ignore[arg-type]
        start = job_log.RunStart(
            job_name=job, trigger="schedule", owner=OWNER, now=at, wall=datetime.now(UTC), tick_id=tick_id
        )
        run_id = job_log.start_run(connection, start)  # type: ignore[arg-type]
        items = [ItemOutcome("AAPL", None, Outcome.STORED, 1, 1)] if item else []
        if items:
            job_log.store_items(connection, run_id, items)  # type: ignore[arg-type]
        if status != "RUNNING":
            job_log.finish_run(
                connection, run_id, OWNER, status=RunStatus(status), message="", items=items,  # type: ignore[arg-type]
                error_message=None, requests_by_provider={}, now=at,
            )  # fmt: skip
        return run_id

    return int(desk.database.write_unit(unit))


def leave_skipped(desk: Desk, days_ago: int, *, job: str = NAME) -> None:
    at = desk.clock.now() - timedelta(days=days_ago)
    desk.database.write_unit(lambda c: job_ticks.store_ticks(c, job, [(at, "holiday")], now=at))


def retain(desk: Desk) -> tuple[int, int]:
    """How many runs and due times the job says that it removed."""
    told = re.match(
        r"(\d+) old runs(?:,| and) (\d+) old due times", run_log_retention(desk.context, Occasion()).message
    )
    assert told is not None
    return int(told[1]), int(told[2])


def kept(desk: Desk) -> list[int]:
    """The runs that are left, the retention's own aside."""
    return [run.id for run in rows(desk.database, JobLog) if run.job_name != "log_retention"]


def test_newest_runs_of_each_job_stay_however_old(desk: Desk) -> None:
    ours = [leave(desk, days) for days in (500, 400, 300, 200, 100)]
    others = [leave(desk, days, job="other") for days in (900, 800)]

    assert retain(desk) == (2, 2)

    assert kept(desk) == [*ours[2:], *others]


def test_young_runs_stay_however_many(desk: Desk) -> None:
    ours = [leave(desk, days) for days in (89, 60, 30, 20, 10, 5, 1)]

    assert retain(desk) == (0, 0)

    assert kept(desk) == ours


def test_failures_stay_longer(desk: Desk) -> None:
    leave(desk, 366, status="FAILED")
    failed = leave(desk, 364, status="FAILED")
    partial = leave(desk, 200, status="PARTIAL")
    leave(desk, 91)
    newest = [leave(desk, days) for days in (3, 2, 1)]

    assert retain(desk) == (2, 2)

    assert kept(desk) == [failed, partial, *newest]


def test_running_run_stays(desk: Desk) -> None:
    running = leave(desk, 400, status="RUNNING")
    # Elsewhere the key would keep the runs after it out.
    table = JobLog.__table__
    desk.database.write_unit(lambda c: c.execute(table.update().values(active_key="another job")))
    newest = [leave(desk, days) for days in (3, 2, 1)]

    retain(desk)

    assert kept(desk) == [running, *newest]


def test_what_belongs_to_a_run_goes_with_it(desk: Desk) -> None:
    leave(desk, 400, item=True)
    newest = [leave(desk, days, item=True) for days in (3, 2, 1)]

    retain(desk)

    assert [item.job_log_id for item in rows(desk.database, JobLogItem, order="job_log_id")] == newest
    assert len(rows(desk.database, JobTick)) == 3


def test_newest_due_time_stays_however_old_and_nothing_is_due_again(desk: Desk) -> None:
    leave_skipped(desk, 400)
    leave_skipped(desk, 300)
    leave_skipped(desk, 500, job="other")

    assert retain(desk) == (0, 1)

    left = [(tick.job_name, (desk.clock.now() - tick.fire_time).days) for tick in rows(desk.database, JobTick)]
    assert sorted(left) == [(NAME, 300), ("other", 500)]


def test_due_time_that_waits_stays(desk: Desk) -> None:
    at = desk.clock.now() - timedelta(days=400)
    desk.leave_tick(at)
    leave_skipped(desk, 300)

    retain(desk)

    assert next(tick.fire_time for tick in rows(desk.database, JobTick, order="fire_time")) == at


def test_removal_goes_in_small_steps(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "BATCH", 2)
    steps: list[tuple[str, int]] = []
    for name in ("remove_runs", "remove_ticks"):
        real = getattr(retention, name)

        def noting(connection: object, limits: object, *, most: int, real=real, name=name) -> int:  # type: ignore[no-untyped-def]
            steps.append((name, real(connection, limits, most=most)))
            return steps[-1][1]

        monkeypatch.setattr(retention, name, noting)
    for days in (500, 490, 480, 470, 460, 3, 2, 1):
        leave(desk, days)

    assert retain(desk) == (5, 5)

    assert steps == [
        ("remove_runs", 2), ("remove_runs", 2), ("remove_runs", 1), ("remove_runs", 0),
        ("remove_ticks", 2), ("remove_ticks", 2), ("remove_ticks", 1), ("remove_ticks", 0),
    ]  # fmt: skip


def test_second_retention_finds_nothing(desk: Desk) -> None:
    for days in (500, 400, 3, 2, 1):
        leave(desk, days)
    assert retain(desk) == (2, 2)

    assert retain(desk) == (0, 0)
