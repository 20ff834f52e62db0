"""From fire times to runs: each due time is recorded once, and run once, however many processes notice it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from closingbell.domain.schedules import DISABLED, OVERLAP, PAUSED, Sessions, decide
from closingbell.errors import AlreadyRunningError, ClosingbellError, RunStoppedError
from closingbell.jobs.context import JobContext
from closingbell.jobs.registry import Job
from closingbell.jobs.runner import Occasion
from closingbell.stores import incidents, job_log, job_ticks
from closingbell.stores.sessions import load_sessions_in_use

TICK_SKIPPED = "tick.skipped"
RUN_ENDED_BADLY = "run.ended_badly"
GIVEN_UP = f"given up after {job_ticks.MOST_ATTEMPTS} attempts"

# A due time is late, and its run a catch-up, when it begins more than this after it.
LATE_AFTER = timedelta(seconds=60)
# Sessions of so many days are kept at hand; older due times are rare and read theirs.
RECENT = timedelta(days=9)

_log = structlog.get_logger(__name__)


def record_due(context: JobContext, job: Job, known: Sessions, *, now: datetime) -> int:
    """Record every due time of ``job`` up to ``now`` that is not recorded yet; return how many there were.

    The pre-check spares writes; the unique key decides who recorded it. ``known`` are the sessions of the last days;
    after a longer absence older ones are read.
    """
    with context.database.read() as connection:
        switches = job_ticks.load_switches(connection).get(job.name)
        if switches is None:
            return 0
        last = job_ticks.last_fire_time(connection, job.name)
        since = max(last, switches.known_since) if last is not None else switches.known_since
        if now - since > RECENT:
            known = load_sessions_in_use(connection, since)
        is_active = job.overlap == "skip" and job_log.is_active(connection, job.name, wall=context.wall.now())
    due = job.schedule.fire_times(since, now, known)
    if not due:
        return 0
    barred = _why_barred(context, job, switches, is_active=is_active)
    decided = decide(due, job.catch_up, on_time_after=now - LATE_AFTER, barred=barred)
    context.database.write_unit(lambda connection: job_ticks.store_ticks(connection, job.name, decided, now=now))
    for fire_time, skipped in decided:
        if skipped is not None:
            _log.info(TICK_SKIPPED, job=job.name, fire_time=fire_time.isoformat(), reason=skipped)
    return len(decided)


def _why_barred(context: JobContext, job: Job, switches: job_ticks.Switches, *, is_active: bool) -> str | None:
    """Why due times of a job are not run now, or None."""
    if switches.paused_at is not None:
        return PAUSED
    if job.name in context.settings.disabled_jobs:
        return DISABLED
    return OVERLAP if is_active else None


def run_waiting(context: JobContext, job: Job, *, goes_on: Callable[[], bool] = lambda: True) -> int:
    """Carry out what waits for this job, one after the other; return how many runs this process began.

    While another process carries out a run of the job nothing is tried: that process looks for waiting due times when
    its run has ended, so nothing is left behind.
    """
    count = 0
    while goes_on() and not context.stopping.is_set():
        with context.database.read() as connection:
            # In this order: a run that is counted as an attempt is then either seen as active, or over.
            waiting = job_ticks.load_waiting(connection, job.name)
            is_active = job_log.is_active(connection, job.name, wall=context.wall.now())
        if is_active or not waiting or not _run_tick(context, job, waiting[0]):
            break
        count += 1
    return count


def _run_tick(context: JobContext, job: Job, tick: job_ticks.WaitingTick) -> bool:
    """Begin the next attempt at a due time; False when it is not ours to begin."""
    now = context.clock.now()
    if tick.attempt_count >= job_ticks.MOST_ATTEMPTS:
        context.database.write_unit(lambda connection: _give_up(connection, tick.id, now=now))
        _log.error(RUN_ENDED_BADLY, job=job.name, fire_time=tick.fire_time.isoformat(), error=GIVEN_UP)
        return True
    occasion = Occasion(
        trigger="schedule" if now - tick.fire_time <= LATE_AFTER else "catch-up",
        fire_time=tick.fire_time,
        tick_id=tick.id,
        attempt=tick.attempt_count + 1,
    )
    try:
        job.load()(context, occasion)
    except AlreadyRunningError:
        if job.overlap == "skip" and tick.attempt_count == 0:
            _skip_overlap(context, job, tick, now)
        return False
    except RunStoppedError:
        return False
    except ClosingbellError as error:
        # Perhaps the run did not even begin: trying again at once would try for ever.
        _log.error(RUN_ENDED_BADLY, job=job.name, error=str(error))
        return False
    except Exception as error:
        # The run's row holds the reason; a job must never end its scheduler.
        _log.error(RUN_ENDED_BADLY, job=job.name, error=f"{type(error).__name__}: {error}", exc_info=True)
        return False
    return True


def _give_up(connection: Connection, tick_id: int, *, now: datetime) -> None:
    """Close a due time whose attempts are used up, and tell of it."""
    if job_ticks.finish_tick(connection, tick_id, now=now):
        incidents.note_given_up(connection, tick_id, now=now)


def _skip_overlap(context: JobContext, job: Job, tick: job_ticks.WaitingTick, now: datetime) -> None:
    """A due time that came while another run of its job was active."""
    context.database.write_unit(
        lambda connection: job_ticks.finish_unbegun(connection, tick.id, now=now, skipped=OVERLAP)
    )
    _log.info(TICK_SKIPPED, job=job.name, fire_time=tick.fire_time.isoformat(), reason=OVERLAP)
