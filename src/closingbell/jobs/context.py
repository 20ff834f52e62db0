"""What a job is given: settings, the time, the database and a provider, handed in by the application."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from flask import Flask, current_app

from closingbell.config import Settings
from closingbell.domain.runs import ItemOutcome, RunEnd
from closingbell.errors import ClosingbellError
from closingbell.providers.base import PriceProvider
from closingbell.stores.database import Database
from closingbell.utils.clock import Clock, SystemClock

EXTENSION = "closingbell"
JOBS_EXTENSION = "closingbell_jobs"
SCHEDULER_EXTENSION = "closingbell_scheduler"


def _unwatched(_told: object) -> None:
    """The progress of a run that nobody watches."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run tells while it goes on: how many companies it will ask for, and how each one ended."""

    planned: Callable[[int], None] = _unwatched
    asked: Callable[[str], None] = _unwatched
    ended: Callable[[ItemOutcome], None] = _unwatched


class RunObserver(Protocol):
    """Is told when runs begin and end. Must neither block nor fail."""

    def started(self, run_id: int, job_name: str) -> None:
        """A run began."""
        ...

    def ended(self, end: RunEnd) -> None:
        """A run ended."""
        ...


class Unobserved:
    """Nobody is told of runs."""

    def started(self, run_id: int, job_name: str) -> None:
        """A run began."""

    def ended(self, end: RunEnd) -> None:
        """A run ended."""


@dataclass(frozen=True, slots=True)
class JobContext:
    """Everything outside that a job may touch; ``open_provider`` is called only when something is to be fetched.

    ``clock`` may be simulated, ``wall`` never is: leases and heartbeats are about processes. ``stopping`` is set when
    this process ends its runs early; ``application`` gives every job its application context.
    """

    settings: Settings
    clock: Clock
    database: Database
    open_provider: Callable[[], PriceProvider]
    wall: Clock = field(default_factory=SystemClock)
    stopping: threading.Event = field(default_factory=threading.Event)
    application: Flask | None = None
    observer: RunObserver = field(default_factory=Unobserved)
    progress: Progress = field(default_factory=Progress)


def current_context() -> JobContext:
    """The context of the running application."""
    context = current_app.extensions.get(EXTENSION)
    if not isinstance(context, JobContext):
        raise ClosingbellError("this application was not made by closingbell.create_app")
    return context
