"""Every due time ends as one run or one reason, whatever passed meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, time, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from closingbell.domain.planning import SessionTimes
from closingbell.domain.schedules import LATEST, NONE, CatchUp, Daily, Every, OnSessions
from closingbell.errors import AlreadyRunningError
from closingbell.jobs.runner import Occasion
from closingbell.models import Base, JobLog, JobTick
from closingbell.queries.runs import recent_runs
from closingbell.stores import job_ticks
from closingbell.stores.database import open_database
from closingbell.stores.sessions import store_sessions
from closingbell.usecases import control
from tests.app_fixtures import new_york
from tests.scheduling.desk import NAME, Desk, desk_on, noted
from tests.scheduling.fleet import rows

SIX = Daily(time(6, 0))
DEAD = "another.host.invalid:1:1"


@pytest.fixture
def desks(tables_url: str, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Makes desks: ``desks(now, schedule, ...)``."""
    with ExitStack() as stack:
        yield lambda now, schedule, **more: stack.enter_context(desk_on(tables_url, tmp_path, now, schedule, **more))


@pytest.fixture
def here(sqlite_url: str, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """The same on SQLite alone, for what does not depend on the database."""
    database = open_database(sqlite_url)
    Base.metadata.create_all(database.engine)
    database.dispose()
    with ExitStack() as stack:
        yield lambda now, schedule, **more: stack.enter_context(desk_on(sqlite_url, tmp_path, now, schedule, **more))


def write_sessions(desk: Desk, *days: str) -> None:
    """Sessions of XNYS from 9:30 to 16:00."""
    found = [
        (SessionTimes(new_york(day).date(), new_york(f"{day} 09:30"), new_york(f"{day} 16:00")), None) for day in days
    ]
    first, last = new_york(days[0]).date(), new_york(days[-1]).date()
    desk.database.write_unit(
        lambda c: store_sessions(c, "XNYS", found, first=first, last=last, version="a test", now=desk.clock.now())
    )


# --- On time, late, long after.


def test_due_time_is_run_when_it_comes_and_once(desks: Callable[..., Desk]) -> None:
    desk = desks("2027-03-09 12:00", SIX).start()

    desk.at("2027-03-10 05:59").at("2027-03-10 06:00").at("2027-03-10 06:00").at("2027-03-10 06:01")

    assert desk.ticks() == {"2027-03-10 06:00": "schedule"}
    [run] = desk.runs()
    assert (run.status, run.trigger, run.fire_time, run.attempt) == (
        "SUCCESS", "schedule", new_york("2027-03-10 06:00"), 1,
    )  # fmt: skip


def test_nothing_is_due_from_before_a_job_was_known(here: Callable[..., Desk]) -> None:
    assert here("2027-03-09 12:00", SIX).start().ticks() == {}


def test_run_nine_hours_late_still_runs_and_says_how_late(here: Callable[..., Desk]) -> None:
    desk = here("2027-03-09 12:00", SIX).start()

    desk.at("2027-03-10 15:00")

    assert desk.ticks() == {"2027-03-10 06:00": "catch-up"}
    [run] = recent_runs(desk.database)
    assert (run.status, run.trigger, run.late_s) == ("SUCCESS", "catch-up", 9 * 3600.0)


def test_laptop_asleep_for_three_days_runs_the_newest_and_says_so_of_the_rest(desks: Callable[..., Desk]) -> None:
    desk = desks("2027-03-12 12:00", SIX).start()

    # The clocks change on the 14th.
    desk.at("2027-03-15 18:30")

    assert desk.ticks() == {
        "2027-03-13 06:00": "superseded by catch-up",
        "2027-03-14 06:00": "superseded by catch-up",
        "2027-03-15 06:00": "catch-up",
    }
    [run] = recent_runs(desk.database)
    assert run.late_s == 12.5 * 3600


def test_daily_prices_of_a_laptop_asleep_over_a_holiday(here: Callable[..., Desk]) -> None:
    desk = here("2022-11-22 17:00", OnSessions())
    write_sessions(desk, "2022-11-21", "2022-11-22", "2022-11-23", "2022-11-25", "2022-11-28")
    desk.start()

    desk.at("2022-11-25 17:00")

    assert desk.ticks() == {
        "2022-11-23 16:30": "superseded by catch-up",
        "2022-11-24 16:30": "holiday",
        "2022-11-25 16:30": "catch-up",
    }


def test_month_away_reads_older_sessions_too(here: Callable[..., Desk]) -> None:
    desk = here("2022-11-22 17:00", OnSessions(), catch_up=CatchUp(None))
    write_sessions(desk, "2022-11-22", "2022-11-23", "2022-11-25", "2022-12-20", "2022-12-21")
    desk.start()

    desk.at("2022-12-21 17:00")

    run = [when for when, what in desk.ticks().items() if what == "catch-up"]
    assert run == ["2022-11-23 16:30", "2022-11-25 16:30", "2022-12-20 16:30", "2022-12-21 16:30"]
    assert list(desk.ticks().values()).count("holiday") == 17


def test_clock_stepped_back_an_hour_repeats_nothing_and_loses_nothing(desks: Callable[..., Desk]) -> None:
    desk = desks("2027-03-10 05:50", Every(timedelta(minutes=30)), catch_up=CatchUp(None)).start()
    desk.at("2027-03-10 06:00").at("2027-03-10 06:30").at("2027-03-10 06:31")

    for minute in range(31, 60, 4):
        desk.at(f"2027-03-10 05:{minute}")
    desk.at("2027-03-10 06:00").at("2027-03-10 06:30").at("2027-03-10 07:00")

    assert list(desk.ticks().items()) == [
        ("2027-03-10 06:00", "schedule"),
        ("2027-03-10 06:30", "schedule"),
        ("2027-03-10 07:00", "schedule"),
    ]
    assert len(desk.runs()) == 3


def test_clock_stepped_forward_and_back_leaves_each_due_time_once(here: Callable[..., Desk]) -> None:
    desk = here("2027-03-10 05:50", Every(timedelta(minutes=30)), catch_up=CatchUp(None)).start()
    desk.at("2027-03-10 08:10").at("2027-03-10 06:10").at("2027-03-10 08:31")

    assert [when[-5:] for when in desk.ticks()] == ["06:00", "06:30", "07:00", "07:30", "08:00", "08:30"]
    assert len(desk.runs()) == 6


# --- Catch-up: latest, all, none.


def test_policy_all_runs_every_missed_due_time_in_order(here: Callable[..., Desk]) -> None:
    desk = here("2027-03-09 12:00", SIX, catch_up=CatchUp(None)).start()

    desk.at("2027-03-12 12:00")

    assert [desk.when(run.fire_time) for run in desk.runs()] == [
        "2027-03-10 06:00",
        "2027-03-11 06:00",
        "2027-03-12 06:00",
    ]


def test_policy_all_at_most_two(here: Callable[..., Desk]) -> None:
    desk = here("2027-03-09 12:00", SIX, catch_up=CatchUp(2)).start()

    desk.at("2027-03-12 12:00")

    assert list(desk.ticks().values()) == ["superseded by catch-up", "catch-up", "catch-up"]


def test_policy_none_runs_what_is_on_time_only(here: Callable[..., Desk]) -> None:
    desk = here("2027-03-09 12:00", SIX, catch_up=NONE).start()

    desk.at("2027-03-11 12:00").at("2027-03-12 06:00")

    assert desk.ticks() == {
        "2027-03-10 06:00": "missed, and this job is not caught up",
        "2027-03-11 06:00": "missed, and this job is not caught up",
        "2027-03-12 06:00": "schedule",
    }


# --- Switches, and other reasons.


def test_paused_job_is_skipped_until_it_is_resumed_and_not_caught_up_then(here: Callable[..., Desk]) -> None:
    desk = here("2027-03-09 12:00", SIX).start()
    control.pause_job(desk.context, {NAME: desk.job}, NAME, by="Ann", why="holidays")

    # A restart in between changes nothing.
    desk.at("2027-03-10 06:00").start().at("2027-03-11 12:00")
    control.resume_job(desk.context, {NAME: desk.job}, NAME, by="Ann")
    desk.at("2027-03-11 12:01").at("2027-03-12 06:00")

    assert desk.ticks() == {
        "2027-03-10 06:00": "paused",
        "2027-03-11 06:00": "paused",
        "2027-03-12 06:00": "schedule",
    }


def test_job_paused_before_any_scheduler_knew_it_stays_paused(here: Callable[..., Desk]) -> None:
    desk = here("2027-03-09 12:00", SIX)
    control.pause_job(desk.context, {NAME: desk.job}, NAME, by="Ann")

    desk.start().at("2027-03-10 06:00")

    assert desk.ticks() == {"2027-03-10 06:00": "paused"}


def test_job_disabled_by_the_settings_is_skipped(here: Callable[..., Desk]) -> None:
    desk = here("2027-03-09 12:00", SIX, jobs_disabled=f"other, {NAME}").start()

    desk.at("2027-03-10 06:00")

    assert desk.ticks() == {"2027-03-10 06:00": "disabled"}
    assert desk.runs() == []


def test_due_time_during_a_run_is_skipped_as_overlap(desks: Callable[..., Desk]) -> None:
    desk = desks("2027-03-09 12:00", SIX).start()
    desk.leave_run(owner=DEAD, wall=datetime.now(UTC))

    desk.at("2027-03-10 06:00")

    assert desk.ticks() == {"2027-03-10 06:00": "overlap"}


def test_due_time_during_a_run_queues_where_the_job_says_so(desks: Callable[..., Desk]) -> None:
    desk = desks("2027-03-09 12:00", SIX, overlap="queue").start()
    run_id = desk.leave_run(owner=DEAD, wall=datetime.now(UTC))

    desk.at("2027-03-10 06:00")
    assert desk.ticks() == {"2027-03-10 06:00": "waits"}
    _end(desk, run_id)
    desk.at("2027-03-10 06:05")

    assert desk.ticks() == {"2027-03-10 06:00": "catch-up"}


def test_run_of_a_dead_process_is_no_overlap(desks: Callable[..., Desk]) -> None:
    desk = desks("2027-03-09 12:00", SIX).start()
    desk.leave_run(owner=DEAD, wall=datetime.now(UTC) - timedelta(minutes=5))

    desk.at("2027-03-10 06:00")

    assert desk.ticks() == {"2027-03-10 06:00": "schedule"}
    assert [(run.status, run.ended_by) for run in desk.runs()] == [("FAILED", "orphaned"), ("SUCCESS", None)]


def test_run_that_began_after_the_due_time_was_recorded_makes_it_an_overlap(here: Callable[..., Desk]) -> None:
    desk = here("2027-03-09 12:00", SIX).start()
    desk.clock.set(new_york("2027-03-10 06:00"))
    desk.record()
    run_id = desk.leave_run(owner=DEAD, wall=datetime.now(UTC))
    [tick] = rows(desk.database, JobTick)

    with pytest.raises(AlreadyRunningError):
        noted(desk.context, Occasion("schedule", tick_id=tick.id))
    assert desk.wake() == 0
    assert desk.ticks() == {"2027-03-10 06:00": "waits"}
    _end(desk, run_id)
    desk.wake()

    assert desk.ticks() == {"2027-03-10 06:00": "schedule"}


def test_schedule_that_changed_forgets_the_due_times_before_it(here: Callable[..., Desk]) -> None:
    desk = here("2027-03-09 12:00", SIX).start()

    # Down over two due times, and back with another schedule.
    desk.clock.set(new_york("2027-03-11 12:00"))
    later = desk.with_job(schedule=Daily(time(7, 0))).start()
    assert later.ticks() == {}
    later.at("2027-03-12 07:00")

    assert later.ticks() == {"2027-03-12 07:00": "schedule"}


def test_new_words_of_a_catch_up_policy_forget_nothing(here: Callable[..., Desk]) -> None:
    desk = here("2027-03-09 12:00", SIX).start()
    desk.clock.set(new_york("2027-03-11 12:00"))

    later = desk.with_job(catch_up=CatchUp(None)).start()

    assert list(later.ticks().values()) == ["catch-up", "catch-up"]


# --- Once, also where processes race.


def _end(desk: Desk, run_id: int) -> None:
    """Some process ends its run."""
    table = JobLog.__table__
    values = {"status": "SUCCESS", "active_key": None, "completed_at": desk.clock.now()}
    desk.database.write_unit(lambda c: c.execute(table.update().where(table.c.id == run_id).values(**values)))


def test_due_time_recorded_twice_is_one_row_and_keeps_its_first_reason(desks: Callable[..., Desk]) -> None:
    desk = desks("2027-03-09 12:00", SIX)
    at = new_york("2027-03-10 06:00")
    for reason in ("paused", None, "overlap"):
        desk.database.write_unit(
            lambda c, reason=reason: job_ticks.store_ticks(c, NAME, [(at, reason)], now=desk.clock.now())
        )
    assert desk.ticks() == {"2027-03-10 06:00": "paused"}


def test_second_process_does_nothing_when_the_attempt_is_taken(desks: Callable[..., Desk]) -> None:
    desk = desks("2027-03-10 06:00", SIX)
    tick_id = desk.leave_tick(desk.clock.now())
    occasion = Occasion("schedule", fire_time=desk.clock.now(), tick_id=tick_id)
    noted(desk.context, occasion)

    with pytest.raises(AlreadyRunningError):
        noted(desk.context, occasion)

    assert len(desk.runs()) == 1


def test_second_process_does_nothing_when_the_due_time_was_run_meanwhile(desks: Callable[..., Desk]) -> None:
    """It read "attempt 1 has begun" while that one ran, and comes to attempt 2 when the due time is done."""
    desk = desks("2027-03-10 06:00", SIX)
    tick_id = desk.leave_tick(desk.clock.now())
    noted(desk.context, Occasion("schedule", fire_time=desk.clock.now(), tick_id=tick_id))

    with pytest.raises(AlreadyRunningError):
        noted(desk.context, Occasion("schedule", fire_time=desk.clock.now(), tick_id=tick_id, attempt=2))

    assert [(run.status, run.attempt) for run in desk.runs()] == [("SUCCESS", 1)]


# --- Jobs with bugs.


def test_job_that_fails_is_run_once_for_each_due_time(here: Callable[..., Desk]) -> None:
    desk = here("2027-03-09 12:00", SIX, function="broken").start()

    desk.at("2027-03-10 06:00").at("2027-03-10 06:01").at("2027-03-11 06:00")

    assert [(run.status, run.ended_by, run.attempt) for run in desk.runs()] == [("FAILED", "error", 1)] * 2
    assert list(desk.ticks().values()) == ["schedule", "schedule"]


def test_job_that_fails_before_its_run_begins_does_not_spin(here: Callable[..., Desk]) -> None:
    desk = here("2027-03-09 12:00", SIX, function="stillborn").start()

    desk.clock.set(new_york("2027-03-10 06:00"))

    assert desk.wake() <= 1
    assert desk.ticks() == {"2027-03-10 06:00": "waits"}


def test_job_whose_data_are_of_the_other_kind_does_not_spin(here: Callable[..., Desk]) -> None:
    desk = here("2027-03-09 12:00", SIX).start()
    desk.at("2027-03-10 06:00")
    replay = desk.with_settings(yahoo_base_url="http://127.0.0.1:1")

    replay.clock.set(new_york("2027-03-11 06:00"))

    assert replay.wake() <= 1
    assert desk.ticks() == {"2027-03-10 06:00": "schedule", "2027-03-11 06:00": "waits"}


# --- Random downtimes.

_numbers = count()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    waits=st.lists(st.tuples(st.integers(1, 20), st.sampled_from(["wake", "start", "pause", "resume", "back"])),
                   min_size=1, max_size=12),
    most=st.sampled_from([None, 0, 1, 3]),
    schedule=st.sampled_from([SIX, OnSessions(), Every(timedelta(hours=7))]),
)  # fmt: skip
def test_any_downtimes_leave_each_due_time_as_one_run_or_one_reason(
    waits: list[tuple[int, str]], most: int | None, schedule: Any, _sqlite_with_tables: bytes, tmp_path: Path
) -> None:
    path = tmp_path / f"{next(_numbers)}.sqlite"
    path.write_bytes(_sqlite_with_tables)
    with desk_on(f"sqlite:///{path}", tmp_path, "2027-03-09 12:00", schedule, catch_up=CatchUp(most)) as desk:
        days = ["2027-03-09", "2027-03-10", "2027-03-11", "2027-03-12", "2027-03-15", "2027-03-16", "2027-03-17"]
        write_sessions(desk, *days)
        started = newest = desk.start().clock.now()
        for hours, what in waits:
            desk.clock.advance(timedelta(hours=-1 if what == "back" else hours))
            if what == "pause":
                control.pause_job(desk.context, {NAME: desk.job}, NAME, by="Ann")
            if what == "resume":
                control.resume_job(desk.context, {NAME: desk.job}, NAME, by="Ann")
            desk.start() if what == "start" else desk.wake()
            newest = max(newest, desk.clock.now())

        found = rows(desk.database, JobTick, order="fire_time")
        with desk.database.read() as connection:
            from closingbell.stores.sessions import load_sessions_in_use

            sessions = load_sessions_in_use(connection, started)
        due = schedule.fire_times(started, newest, sessions)
        assert [tick.fire_time for tick in found] == [fire.at for fire in due]
        runs = [run.tick_id for run in desk.runs()]
        assert len(runs) == len(set(runs))
        for tick, fire in zip(found, due, strict=True):
            assert (tick.skipped is None) == (tick.id in runs)
            assert tick.done_at is not None
            assert fire.skip is None or tick.skipped in {"holiday"}
        assert LATEST.most == 1
