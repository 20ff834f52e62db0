"""Totals of ended runs on each database: every run once, whoever ends it and however often that is tried."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from closingbell.domain.runs import ItemOutcome, Outcome, RunStatus
from closingbell.stores import job_log, retention
from closingbell.stores.database import Database, open_database
from closingbell.stores.retention import Limits
from closingbell.stores.run_totals import load_totals

DUE = datetime(2026, 11, 27, 21, 30, tzinfo=UTC)
BEGAN = DUE + timedelta(seconds=2)
OWNER = "host:1:1"
ENDLESS = timedelta(days=36_500)
GOOD, BAD = ItemOutcome("IBM", None, Outcome.STORED, 1, 1), ItemOutcome("FB", None, Outcome.FAILED, 1, 0)


def begin(database: Database, *, job: str = "daily", due: datetime | None = DUE, attempt: int = 1) -> int:
    """A run that goes on and has written down two companies."""
    # Real time: its owner is trusted for long.
    wall = datetime.now(UTC) + ENDLESS
    start = job_log.RunStart(
        job_name=job, trigger="schedule", owner=OWNER, now=BEGAN, wall=wall, fire_time=due, attempt=attempt
    )

    def unit(connection: Connection) -> int:
        run_id = job_log.start_run(connection, start)
        job_log.store_items(connection, run_id, [GOOD, BAD])
        return run_id

    return database.write_unit(unit)


def end(run_id: int, *, status: RunStatus = RunStatus.PARTIAL, after_s: float = 45) -> Callable[[Connection], bool]:
    """The unit that ends it."""
    return lambda connection: job_log.finish_run(
        connection, run_id, OWNER, status=status, message="", items=[GOOD, BAD], error_message=None,
        requests_by_provider={}, now=BEGAN + timedelta(seconds=after_s),
    )  # fmt: skip


def totals(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {" ".join((one.kind, one.job_name, one.label)).strip(): one.amount for one in load_totals(connection)}


ONE_PARTIAL_RUN = {
    "duration daily 60": 1,
    "duration_ms daily": 45_000,
    "lateness daily 5": 1,
    "lateness_ms daily": 2_000,
    "runs daily partial": 1,
    "symbols daily failed": 1,
    "symbols daily stored": 1,
}


def test_run_counts_when_it_ends_and_once(database: Database) -> None:
    run_id = begin(database)
    assert totals(database) == {}

    assert database.write_unit(end(run_id)) is True
    assert totals(database) == ONE_PARTIAL_RUN

    assert database.write_unit(end(run_id)) is False
    assert totals(database) == ONE_PARTIAL_RUN


def test_end_that_is_tried_again_counts_once(database: Database) -> None:
    run_id, tries = begin(database), []

    def unit(connection: Connection) -> bool:
        ours = end(run_id)(connection)
        tries.append(ours)
        if len(tries) == 1:
            raise OperationalError("COMMIT", {}, Exception("lost"), connection_invalidated=True)
        return ours

    assert database.write_unit(unit) is True
    assert tries == [True, True]
    assert totals(database) == ONE_PARTIAL_RUN


def test_dead_and_stalled_runs_count_as_failed(database: Database) -> None:
    dead, stalled = begin(database), begin(database, job="other", due=None)

    def unit(connection: Connection) -> list[Any]:
        [*active] = job_log.load_active(connection)
        wall = datetime.now(UTC) + 2 * ENDLESS
        one = next(run for run in active if run.id == stalled)
        closed = job_log.close_stalled(connection, one, now=BEGAN + timedelta(hours=2))
        again = job_log.close_stalled(connection, one, now=BEGAN + timedelta(hours=2))
        orphans = job_log.close_orphans(connection, now=BEGAN + timedelta(seconds=400), wall=wall)
        return [closed, again, [run.id for run in orphans]]

    assert database.write_unit(unit) == [True, False, [dead]]
    found = totals(database)
    assert {name: found[name] for name in found if not name.startswith("symbols")} == {
        "duration daily 600": 1,
        "duration_ms daily": 400_000,
        "lateness daily 5": 1,
        "lateness_ms daily": 2_000,
        "runs daily failed": 1,
        "duration other inf": 1,
        "duration_ms other": 7_200_000,
        "runs other failed": 1,
    }


def test_second_attempt_is_not_late_again(database: Database) -> None:
    database.write_unit(end(begin(database, attempt=2), status=RunStatus.SUCCESS, after_s=0))

    assert totals(database) == {
        "duration daily 0.5": 1,
        "duration_ms daily": 0,
        "runs daily success": 1,
        "symbols daily failed": 1,
        "symbols daily stored": 1,
    }


def test_removing_old_runs_lowers_nothing(database: Database) -> None:
    database.write_unit(end(begin(database)))
    limits = Limits(BEGAN + ENDLESS, BEGAN + ENDLESS, keep_count=0)

    assert database.write_unit(lambda connection: retention.remove_runs(connection, limits, most=10)) == 1

    assert totals(database) == ONE_PARTIAL_RUN


def _end_many(arguments: tuple[str, list[int]]) -> int:
    """As a process of its own: end these runs, each in a transaction of its own; how many were its to end."""
    url, run_ids = arguments
    database = open_database(url)
    ended = sum(database.write_unit(end(run_id)) for run_id in run_ids)
    database.dispose()
    return ended


def test_two_processes_at_once_count_all_and_nothing_twice(tables_url: str, database: Database) -> None:
    own: list[list[int]] = [[], []]
    for number in range(40):
        run_id = begin(database)
        with database.write() as connection:
            # So that the next one may begin while this one goes on.
            connection.exec_driver_sql(f"UPDATE job_log SET active_key = NULL WHERE id = {run_id}")
        own[number % 2].append(run_id)
    # Every fifth is tried by both.
    both = own[0][::5]

    with get_context("spawn").Pool(2) as pool:
        ended = pool.map(_end_many, [(tables_url, own[0]), (tables_url, [*both, *own[1]])], chunksize=1)

    assert sum(ended) == 40
    assert totals(database) == {name: 40 * amount for name, amount in ONE_PARTIAL_RUN.items()}
