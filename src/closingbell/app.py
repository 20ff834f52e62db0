"""The application factory: settings, database, and what jobs are given."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import click
from flask import Flask

from closingbell.cli_commands import CommandTable
from closingbell.config import Settings, load_settings
from closingbell.errors import SettingsError
from closingbell.jobs.context import EXTENSION, JobContext
from closingbell.providers.base import PriceProvider
from closingbell.stores.database import open_database


def create_app(settings: Settings | None = None) -> Flask:
    """A Flask application with closingbell's commands; starts no thread and opens no connection."""
    try:
        settings = settings or load_settings()
        database = open_database(settings.effective_database_url)
    except SettingsError as error:
        if click.get_current_context(silent=True) is None:
            raise
        # On a command line a wrong setting is a message, not a traceback.
        raise click.UsageError(str(error)) from None
    app = Flask("closingbell", instance_path=str(settings.instance_path.resolve()))
    app.config.update(
        JOBS_ENABLED=settings.jobs_enabled,
        SCHEDULER_API_ENABLED=settings.scheduler_api_enabled,
    )
    app.extensions[EXTENSION] = JobContext(
        settings=settings,
        clock=settings.clock(),
        database=database,
        open_provider=_provider_opener(settings),
    )
    app.cli = CommandTable(app.cli)
    return app


def _provider_opener(settings: Settings) -> Callable[[], PriceProvider]:
    """Opens the provider on first use and keeps it: its session holds cookies and connections."""
    lock = threading.Lock()
    opened: list[PriceProvider] = []

    def open_provider() -> PriceProvider:
        with lock:
            if not opened:
                opened.append(_open_yahoo(settings))
            return opened[0]

    return open_provider


def _open_yahoo(settings: Settings) -> PriceProvider:
    from closingbell.providers.budget import RequestBudget  # noqa: PLC0415  (keeps the limiter out of start-up)
    from closingbell.providers.yahoo import YahooProvider  # noqa: PLC0415  (keeps it out of start-up)
    from closingbell.providers.yahoo_session import YahooSession  # noqa: PLC0415  (keeps it out of start-up)

    folder = cache_folder(settings)
    session = YahooSession(
        base_url=settings.yahoo_base_url,
        timeout_s=settings.yahoo_timeout_s,
        concurrency=settings.yahoo_concurrency,
        budget=RequestBudget(settings.yahoo_requests_per_minute, folder=folder),
        cache_dir=folder / "yfinance",
    )
    return YahooProvider(session)


def cache_folder(settings: Settings) -> Path:
    """Where cookies and the budget of this source are kept, shared by this user's processes."""
    if settings.cache_dir is not None:
        return settings.cache_dir / settings.source_id()
    from platformdirs import user_cache_path  # noqa: PLC0415  (keeps it out of start-up)

    return user_cache_path("closingbell", appauthor=False) / settings.source_id()
