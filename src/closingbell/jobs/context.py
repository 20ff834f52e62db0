"""What a job is given: settings, the time, the database and a provider, handed in by the application."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flask import current_app

from closingbell.config import Settings
from closingbell.domain.runs import ItemOutcome
from closingbell.errors import ClosingbellError
from closingbell.providers.base import PriceProvider
from closingbell.stores.database import Database
from closingbell.utils.clock import Clock

EXTENSION = "closingbell"


def _unwatched(_told: object) -> None:
    """The progress of a run that nobody watches."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run tells while it goes on: how many companies it will ask for, and how each one ended."""

    planned: Callable[[int], None] = _unwatched
    asked: Callable[[str], None] = _unwatched
    ended: Callable[[ItemOutcome], None] = _unwatched


@dataclass(frozen=True, slots=True)
class JobContext:
    """Everything outside that a job may touch; ``open_provider`` is called only when something is to be fetched."""

    settings: Settings
    clock: Clock
    database: Database
    open_provider: Callable[[], PriceProvider]
    progress: Progress = field(default_factory=Progress)


def current_context() -> JobContext:
    """The context of the running application."""
    context = current_app.extensions.get(EXTENSION)
    if not isinstance(context, JobContext):
        raise ClosingbellError("this application was not made by closingbell.create_app")
    return context
