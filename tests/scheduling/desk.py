"""What schedulers do, done by hand on one clock: no thread, no wait, so that months pass in a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from closingbell.domain.runs import RunStatus, RunSummary
from closingbell.domain.schedules import LATEST, CatchUp, Schedule
from closingbell.jobs.context import JobContext
from closingbell.jobs.due import record_due, run_waiting
from closingbell.jobs.registry import Job
from closingbell.jobs.runner import Ending, Occasion, carry_out
from closingbell.models import JobLog, JobTick
from closingbell.stores import job_log, job_ticks
from closingbell.stores.sessions import load_sessions_in_use
from closingbell.utils.clock import FixedClock
from tests.app_fixtures import new_york
from tests.scheduling.fleet import context_on, rows

NAME = "noted"


def noted(context: JobContext, occasion: Occasion, **_: Any) -> RunSummary:
    """A run that succeeds at once."""
    return carry_out(context, NAME, lambda _run: Ending(RunStatus.SUCCESS, "done"), occasion)


def broken(context: JobContext, occasion: Occasion, **_: Any) -> RunSummary:
    """A run that begins and fails."""

    def body(_run: object) -> Ending:
        raise ValueError("a bug")

    return carry_out(context, NAME, body, occasion)


def stillborn(context: JobContext, occasion: Occasion, **_: Any) -> RunSummary:
    """A job that fails before its run begins."""
    raise ValueError("a bug before the beginning")


@dataclass
class Desk:
    """One scheduler's judgement; ``wake()`` is what happens at a fire time and at each pulse."""

    context: JobContext
    clock: FixedClock
    job: Job

    @property
    def database(self) -> Any:
        return self.context.database

    def with_job(self, **changes: Any) -> Desk:
        """The same database and clock with another version of the job, as after a restart."""
        return replace(self, job=replace(self.job, **changes))

    def with_settings(self, **changes: Any) -> Desk:
        """The same with other settings."""
        settings = self.context.settings.model_copy(update=changes)
        return replace(self, context=replace(self.context, settings=settings))

    def start(self) -> Desk:
        """A scheduler starts: it makes its job known, and looks at what passed."""
        now = self.clock.now()
        self.database.write_unit(lambda c: job_ticks.store_known(c, self.job.name, self.job.schedule.words, now=now))
        self.wake()
        return self

    def at(self, moment: str | datetime) -> Desk:
        """Move the clock, forwards or back, and wake."""
        self.clock.set(new_york(moment) if isinstance(moment, str) else moment)
        self.wake()
        return self

    def record(self) -> int:
        """Write down what is due, and run nothing."""
        with self.database.read() as connection:
            known = load_sessions_in_use(connection, self.clock.now() - timedelta(days=10))
        return record_due(self.context, self.job, known, now=self.clock.now())

    def wake(self) -> int:
        """Write down what is due and run what waits; return how many runs were begun."""
        self.record()
        return run_waiting(self.context, self.job)

    def ticks(self) -> dict[str, str]:
        """What became of each due time, by New York time."""
        began = {run.tick_id: run.trigger for run in rows(self.database, JobLog)}
        return {
            self.when(tick.fire_time): tick.skipped or (began.get(tick.id, "waits") if tick.done_at else "waits")
            for tick in rows(self.database, JobTick, order="fire_time")
        }

    def runs(self) -> list[Any]:
        return rows(self.database, JobLog)

    @staticmethod
    def when(moment: datetime) -> str:
        return moment.astimezone(new_york("2012-01-01").tzinfo).strftime("%Y-%m-%d %H:%M")

    def leave_run(self, *, owner: str, wall: datetime, tick_id: int | None = None, attempt: int = 1) -> int:
        """A run that some process began and has not ended."""
        start = job_log.RunStart(
            job_name=self.job.name, trigger="schedule", owner=owner, now=self.clock.now(), wall=wall,
            tick_id=tick_id, attempt=attempt,
        )  # fmt: skip
        return int(self.database.write_unit(lambda c: job_log.start_run(c, start)))

    def leave_tick(self, fire_time: datetime) -> int:
        """A due time that waits."""
        values = {"job_name": self.job.name, "fire_time": fire_time, "decided_at": fire_time}
        inserted = self.database.write_unit(lambda c: c.execute(insert(JobTick).values(**values)))
        return int(inserted.inserted_primary_key[0])


@contextmanager
def desk_on(
    url: str, folder: Path, now: str, schedule: Schedule, *, catch_up: CatchUp = LATEST, overlap: str = "skip",
    function: str = "noted", **settings: Any,
) -> Iterator[Desk]:  # fmt: skip
    """A desk on a database that has tables; its scheduler has not started yet."""
    clock = FixedClock(new_york(now))
    with context_on(url, folder, **settings) as context:
        job = Job(NAME, "a job", schedule, f"{__name__}:{function}", catch_up=catch_up, overlap=overlap)
        yield Desk(replace(context, clock=clock), clock, job)
