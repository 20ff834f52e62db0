"""Every job by name: what it does, when it is due, and where its body is. Job definitions are code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any, Protocol

from closingbell.config import Settings
from closingbell.domain.schedules import LATEST, NONE, CatchUp, Daily, OnSessions, Schedule, WithinSessions
from closingbell.errors import ScheduleError, UnknownJobError
from closingbell.jobs.context import JobContext


class JobFunction(Protocol):
    """The body of a job; keyword arguments are what a request may carry (symbols)."""

    def __call__(self, context: JobContext, occasion: Any, **arguments: Any) -> Any:
        """Carry out one run and return its RunSummary."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """A job: ``function`` is module:name, imported when it first runs, so that a listing stays light.

    ``overlap``: what becomes of a due time while a run of this job is active: skip, or queue behind it.
    ``arguments`` are the names that a request may carry.
    """

    name: str
    description: str
    schedule: Schedule
    function: str
    catch_up: CatchUp = LATEST
    overlap: str = "skip"
    arguments: tuple[str, ...] = ()

    def load(self) -> JobFunction:
        """The job's function."""
        module, _, name = self.function.partition(":")
        function: JobFunction = getattr(import_module(module), name)
        return function


Registry = Mapping[str, Job]


def jobs_of(settings: Settings) -> dict[str, Job]:
    """The jobs that can do their work, by name."""
    jobs = [
        Job(
            "daily_price_update",
            "end-of-day prices of what is held",
            OnSessions(
                settings.daily_price_update_time,
                after_close=timedelta(minutes=settings.daily_price_update_minutes_after_close),
            ),
            "closingbell.jobs.price_updater:run_daily_price_update",
            arguments=("symbols",),
        ),
        Job(
            "dividend_processor",
            "dividends and splits, paid to those who held",
            Daily(settings.dividend_processor_time, also=(settings.dividend_processor_early_time,)),
            "closingbell.jobs.dividend_processor:run_dividend_processor",
            arguments=("symbols",),
        ),
        Job(
            "price_sweep",
            "the last month of some companies read again: settles closes, notices dividends and splits",
            OnSessions(
                settings.price_sweep_time,
                after_close=timedelta(minutes=settings.price_sweep_minutes_after_close),
            ),
            "closingbell.jobs.price_sweep:run_price_sweep",
            arguments=("symbols",),
        ),
        Job(
            "intraday_price_refresh",
            "minute prices of what was traded or is watched",
            WithinSessions(every=timedelta(minutes=settings.intraday_every_minutes)),
            "closingbell.jobs.intraday_updater:run_intraday_refresh",
            # A missed quarter of an hour is in the next one's answer.
            catch_up=NONE,
            arguments=("symbols",),
        ),
        Job(
            "log_retention",
            "removes old runs, due times and minute bars",
            Daily(settings.log_retention_time),
            "closingbell.jobs.maintenance:run_log_retention",
        ),
    ]
    return {job.name: job for job in jobs}


def find_job(registry: Registry, name: str) -> Job:
    """The job of that name; raise UnknownJobError that names those there are."""
    job = registry.get(name)
    if job is None:
        raise UnknownJobError(f"no job is called {name!r}; there are {', '.join(sorted(registry))}")
    return job


def check_registry(registry: Registry) -> None:
    """Raise ScheduleError for a job that cannot be kept exactly: no name, no description, an unknown overlap."""
    for name, job in registry.items():
        if name != job.name or not job.description:
            raise ScheduleError(f"job {name!r} needs its own name and a description")
        if job.overlap not in {"skip", "queue"}:
            raise ScheduleError(f"job {name!r}: overlap {job.overlap!r} is not skip or queue")
