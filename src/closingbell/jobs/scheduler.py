"""The scheduler: APScheduler as the alarm clock, the database as the judge.

APScheduler wakes each job at its fire times. What is due is recorded in ``job_tick`` and claimed there, so any number
of schedulers on one database is right. A pulse re-reads the wall clock: sleep, freezes and clock steps do no harm.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

import structlog
from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy.exc import DBAPIError

from closingbell.domain.planning import SessionTimes
from closingbell.domain.schedules import LOOK_AHEAD, FireTime, Sessions, check_local_time, next_fire_time
from closingbell.errors import ClosingbellError, ScheduleError
from closingbell.jobs.context import JobContext
from closingbell.jobs.courier import deliver
from closingbell.jobs.due import record_due, run_waiting
from closingbell.jobs.market_time import load_session_list
from closingbell.jobs.registry import Job, Registry, check_registry
from closingbell.jobs.requests import run_requests
from closingbell.jobs.watch import watch_runs
from closingbell.stores import job_log, job_ticks
from closingbell.stores.marks import claim_origin
from closingbell.stores.sessions import load_sessions_in_use

SCHEDULER_STARTED = "scheduler.started"
SCHEDULER_STOPPED = "scheduler.stopped"
DUTY_FAILED = "scheduler.duty_failed"
RUN_LEFT_BEHIND = "scheduler.run_left_behind"

PULSE_S = 30
WATCH_S = 1
COURIER_S = 5
# Sessions are known at least this far ahead.
HORIZON = LOOK_AHEAD[-1]
_TURN_S, _MOST_TURNS = 0.04, 8
# A run that was told to stop has so long to do it; its process does not wait for one that never asks.
LISTEN_S = 10.0
JOBS = "jobs"
_INSTANT = timedelta(microseconds=1)

fire_time_of_job: ContextVar[datetime | None] = ContextVar("fire_time", default=None)

_log = structlog.get_logger(__name__)


class FireTimeExecutor(BaseExecutor):  # type: ignore[misc]
    """A thread for each job at work, told in ``fire_time_of_job`` for which instant it was woken.

    Daemons, for Python joins the threads of a pool before it lets anybody end what they carry out.
    """

    def _do_submit_job(self, job: Any, run_times: Sequence[datetime]) -> None:
        told = copy_context()
        told.run(fire_time_of_job.set, run_times[-1])

        def work() -> None:
            try:
                events = told.run(run_job, job, job._jobstore_alias, run_times, self._logger.name)
            except BaseException as error:
                self._run_job_error(job.id, error, error.__traceback__)
            else:
                self._run_job_success(job.id, events)

        threading.Thread(target=work, name=f"job {job.name}", daemon=True).start()


class FireTimeTrigger(BaseTrigger):  # type: ignore[misc]
    """Our schedule as an APScheduler trigger; looks far enough ahead to find the next session after a long closure."""

    def __init__(self, scheduler: Scheduler, job: Job) -> None:
        self._scheduler = scheduler
        self._job = job

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The next fire time after ``now``."""
        return self._scheduler.next_fire_time(self._job)

    def __str__(self) -> str:
        return self._job.schedule.words


@dataclass(frozen=True, slots=True)
class TriggerSchedule:
    """One of APScheduler's own triggers as a schedule; refused where its fire times would not be exact."""

    trigger: BaseTrigger

    def __post_init__(self) -> None:
        check_trigger(self.trigger)

    @property
    def words(self) -> str:
        return str(self.trigger)

    def fire_times(self, after: datetime, until: datetime, sessions: Sessions) -> list[FireTime]:
        found = []
        at = self.trigger.get_next_fire_time(None, after + _INSTANT)
        while at is not None and at <= until:
            found.append(FireTime(at.astimezone(UTC)))
            at = self.trigger.get_next_fire_time(at, at + _INSTANT)
        return found


def check_trigger(trigger: BaseTrigger) -> None:
    """Raise ScheduleError for a trigger whose fire times differ between processes or that the clocks skip or double."""
    if getattr(trigger, "jitter", None):
        raise ScheduleError(f"{trigger}: jitter makes every process wake at another time; leave it out")
    if isinstance(trigger, IntervalTrigger):
        raise ScheduleError(
            f"{trigger}: an interval counts from whenever a process started; "
            "use closingbell.domain.schedules.Every, which counts from a fixed instant"
        )
    if not isinstance(trigger, CronTrigger):
        raise ScheduleError(f"{type(trigger).__name__}: only cron triggers and closingbell's own schedules can be kept")
    for part in trigger.fields:
        if part.name == "day_of_week" and any(letter.isdigit() for letter in str(part)):
            raise ScheduleError(
                f"{trigger}: APScheduler counts weekdays from Monday = 0, cron from Sunday; write mon-fri"
            )
    _check_clock_changes(trigger)


def _check_clock_changes(trigger: CronTrigger) -> None:
    """Ask the trigger for its fire times around the next changes of its zone's clocks."""
    day = datetime(2026, 1, 1, 12, tzinfo=trigger.timezone)
    for _ in range(366):
        following = day + timedelta(days=1)
        if following.utcoffset() != day.utcoffset():
            _check_night(trigger, day, following)
        day = following


def _check_night(trigger: CronTrigger, evening: datetime, noon: datetime) -> None:
    at = trigger.get_next_fire_time(None, evening)
    while at is not None and at <= noon:
        check_local_time(at.time(), trigger.timezone, days=(at.date(),))
        at = trigger.get_next_fire_time(at, at + _INSTANT)


class Scheduler:
    """A scheduler for a registry of jobs on one database; ``start()`` makes the only threads there are."""

    def __init__(self, context: JobContext, registry: Registry) -> None:
        check_registry(registry)
        self.context = context
        self.registry = registry
        self.owner = job_log.this_process()
        self._sessions: dict[str, Sequence[SessionTimes]] = {}
        self._scheduler: BackgroundScheduler | None = None
        self._busy: dict[str, threading.Lock] = {name: threading.Lock() for name in registry}
        self._ended = threading.Event()
        self._alive = [self.owner]

    @property
    def is_running(self) -> bool:
        """Whether its threads run."""
        return self._scheduler is not None

    def start(self) -> None:
        """Register the jobs, catch up on what passed, and go on from there."""
        claim_origin(self.context.database, self.context.settings.origin, clock=self.context.clock)
        self._make_known()
        self._refresh_sessions()
        scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={JOBS: FireTimeExecutor()},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 3},
        )
        for job in self.registry.values():
            scheduler.add_job(
                self._wake, FireTimeTrigger(self, job), args=[job.name], id=job.name, name=job.description,
                executor=JOBS,
            )  # fmt: skip
        self._scheduler = scheduler
        self._ended.clear()
        scheduler.start()
        self._start_duty("pulse", self.pulse, PULSE_S)
        self._start_duty("watch", self.watch, WATCH_S)
        self._start_duty("courier", self.send, COURIER_S)
        _log.info(SCHEDULER_STARTED, owner=self.owner, jobs=sorted(self.registry))

    def shutdown(self, *, grace_s: float | None = None) -> None:
        """No new runs; those under way may take ``grace_s`` seconds more, then they are closed to be taken up again."""
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is None:
            return
        grace = self.context.settings.jobs_shutdown_grace if grace_s is None else grace_s
        self._ended.set()
        scheduler.shutdown(wait=True)
        if not self._is_idle_within(grace):
            self.context.stopping.set()
            if not self._is_idle_within(LISTEN_S):
                _log.warning(RUN_LEFT_BEHIND, owner=self.owner)
        wall = self.context.wall.now()
        self._quietly(lambda: self.context.database.write_unit(
            lambda connection: job_ticks.store_stopped(connection, self.owner, wall=wall)
        ))  # fmt: skip
        _log.info(SCHEDULER_STOPPED, owner=self.owner)

    def _is_idle_within(self, seconds: float) -> bool:
        """Wait until no job is at work here; False when one still is."""
        ends_at = time.monotonic() + seconds
        for lock in self._busy.values():
            if not lock.acquire(timeout=max(0.0, ends_at - time.monotonic())):
                return False
            lock.release()
        return True

    def next_fire_time(self, job: Job) -> datetime | None:
        """The next instant at which the job is due by its schedule, holidays left out."""
        now = self.context.clock.now()
        # Nothing within a month: look again when the sessions have been written further.
        due = next_fire_time(job.schedule, self._sessions, now=now) or now + timedelta(hours=1)
        return self._as_wall(due, now)

    def _as_wall(self, at: datetime, now: datetime) -> datetime:
        """An instant of the clock as real time, which is what threads wait by."""
        return self.context.wall.now() + (at - now)

    def pulse(self) -> None:
        """Re-read the clock: heartbeat, sessions, what became due meanwhile, requests."""
        wall = self.context.wall.now()
        self._alive = self.context.database.write_unit(lambda c: job_ticks.store_alive(c, self.owner, wall=wall))
        self._refresh_sessions()
        for name in self.registry:
            self._submit(name)

    def watch(self) -> None:
        """Every second: runs whose owner died or that stalled, and what people asked for."""
        for name in watch_runs(self.context, self.registry):
            self._submit(name)

    def send(self) -> None:
        """Messages that wait to leave; in a thread of their own, so that a slow receiver keeps nothing up."""
        while not self._ended.is_set() and deliver(self.context, self.owner):
            pass

    def _submit(self, name: str) -> None:
        """Let the pool of jobs look after a job now; once at a time is enough."""
        scheduler = self._scheduler
        if scheduler is not None and not self._busy[name].locked():
            scheduler.add_job(self._wake, args=[name], executor=JOBS, misfire_grace_time=None)

    def _wake(self, name: str) -> None:
        """Record what is due of a job and carry out what waits for it."""
        job = self.registry[name]
        lock = self._busy[name]
        time.sleep(self._turn(name) * _TURN_S)
        # Due times that come while this process carries out the job are recorded here and run by the thread that does.
        self._quietly(lambda: record_due(self.context, job, self._sessions, now=self._due_until()))
        if not lock.acquire(blocking=False):
            return
        try:
            self._quietly(lambda: self._serve(job))
        finally:
            lock.release()

    def _turn(self, name: str) -> int:
        """How many schedulers should look at this due time before this one.

        All wake at the same instant; one after the other, most find the due time recorded already and write nothing.
        The order differs from one due time to the next, so that the work is shared.
        """
        woken_for = fire_time_of_job.get()
        if woken_for is None or self.owner not in self._alive:
            return 0
        first = crc32(f"{name} {woken_for.timestamp():.0f}".encode())
        return min((self._alive.index(self.owner) + first) % len(self._alive), _MOST_TURNS)

    def _due_until(self) -> datetime:
        """Now, or the fire time that woke this thread where the clock has not quite reached it."""
        now, woken_for = self.context.clock.now(), fire_time_of_job.get()
        ahead = timedelta() if woken_for is None else woken_for - self.context.wall.now()
        return now + max(ahead, timedelta())

    def _serve(self, job: Job) -> None:
        """Waiting due times first, then what people asked for, then what became due meanwhile."""
        while self.is_running:
            count = run_waiting(self.context, job, goes_on=lambda: self.is_running)
            count += run_requests(self.context, job) if self.is_running else 0
            if not count:
                break

    def _start_duty(self, name: str, duty: Callable[[], None], every_s: float) -> None:
        """A duty of the scheduler's own in a thread that jobs cannot keep busy; the first time at once.

        Not an alarm of APScheduler's: those ring by the wall clock, and one that is set back would silence them.
        """

        def go_on() -> None:
            while not self._ended.is_set():
                self._quietly(duty)
                self._ended.wait(every_s)

        threading.Thread(target=go_on, name=f"scheduler {name}", daemon=True).start()

    def _make_known(self) -> None:
        now, wall = self.context.clock.now(), self.context.wall.now()

        def unit(connection: Any) -> list[str]:
            for job in self.registry.values():
                job_ticks.store_known(connection, job.name, job.schedule.words, now=now)
            return job_ticks.store_alive(connection, self.owner, wall=wall)

        self._alive = self.context.database.write_unit(unit)

    def _refresh_sessions(self) -> None:
        """Read the sessions in use; write them further ahead where they end too soon."""
        now = self.context.clock.now()
        with self.context.database.read() as connection:
            known = load_sessions_in_use(connection, now - timedelta(days=10))
        for mic, of_mic in known.items():
            if not of_mic or of_mic[-1].close_at < now + HORIZON:
                load_session_list(self.context, mic, now.date() - timedelta(days=30), now=now, ahead=HORIZON)
        with self.context.database.read() as connection:
            self._sessions = load_sessions_in_use(connection, now - timedelta(days=10))

    def _quietly(self, duty: Callable[[], object]) -> None:
        """A duty that fails is logged and comes again; it must never end the scheduler."""
        try:
            duty()
        except (DBAPIError, ClosingbellError) as error:
            _log.warning(DUTY_FAILED, error=f"{type(error).__name__}: {str(error).splitlines()[0]}")
        except Exception as error:
            _log.error(DUTY_FAILED, error=f"{type(error).__name__}: {error}", exc_info=True)
