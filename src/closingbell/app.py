"""The application factory: settings, database, and what jobs are given."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import click
from flask import Flask
from flask.helpers import get_debug_flag

from closingbell.cli_commands import CommandTable
from closingbell.config import Settings, load_settings
from closingbell.errors import ClosingbellError, SettingsError, UsageError
from closingbell.jobs.context import (
    EXTENSION,
    JOBS_EXTENSION,
    SCHEDULER_EXTENSION,
    JobContext,
    RunObserver,
    Unobserved,
)
from closingbell.jobs.registry import Registry, jobs_of
from closingbell.providers.base import PriceProvider
from closingbell.stores.database import Database, open_database
from closingbell.stores.marks import require_this_version
from closingbell.utils.clock import Clock

if TYPE_CHECKING:
    from closingbell.jobs.scheduler import Scheduler
    from closingbell.stores.symbols import NameBook


def create_app(
    settings: Settings | None = None, *, start_scheduler: bool = False, registry: Registry | None = None
) -> Flask:
    """A Flask application with closingbell's commands; opens no connection, and starts no thread unless told to.

    The scheduler starts with ``start_scheduler`` or under ``flask run``, and never when JOBS_ENABLED is false.
    """
    try:
        settings = settings or load_settings()
        _require_known_providers(settings)
        database = open_database(settings.effective_database_url)
        observer = _observer(settings)
    except SettingsError as error:
        raise _for_the_screen(error) from None
    app = Flask("closingbell", instance_path=str(settings.instance_path.resolve()))
    app.config.update(
        JOBS_ENABLED=settings.jobs_enabled,
        SCHEDULER_API_ENABLED=settings.scheduler_api_enabled,
    )
    context = JobContext(
        settings=settings,
        clock=settings.clock(),
        database=database,
        open_provider=provider_opener(settings, database=database),
        observer=observer,
    )
    app.extensions[EXTENSION] = context
    app.cli = CommandTable(app.cli)
    try:
        app.extensions[JOBS_EXTENSION] = jobs_of(settings) if registry is None else registry
        _add_what_serves(app, settings, is_served=start_scheduler or _is_served_by_flask_run())
    except ClosingbellError as error:
        raise _for_the_screen(error) from None
    return app


def _add_what_serves(app: Flask, settings: Settings, *, is_served: bool) -> None:
    if settings.scheduler_api_enabled:
        _add_scheduler_api(app, is_served=is_served)
    if settings.web_enabled and is_served:
        add_pages_to(app)
    if settings.jobs_enabled and is_served:
        start_scheduler_of(app)


def _for_the_screen(error: ClosingbellError) -> Exception:
    """On a command line an expected error is a message, not a traceback."""
    if click.get_current_context(silent=True) is None:
        return error
    return click.UsageError(str(error)) if isinstance(error, SettingsError) else click.ClickException(str(error))


def _add_scheduler_api(app: Flask, *, is_served: bool) -> None:
    """The HTTP API over the scheduler; refuses to be served while nobody could sign in to it."""
    from closingbell.api.scheduler import (  # noqa: PLC0415  (keeps the API out of every command's start-up)
        require_way_in,
        scheduler_api,
    )

    if is_served:
        require_way_in(app.extensions[EXTENSION])
    app.register_blueprint(scheduler_api(app.extensions[JOBS_EXTENSION]))


def add_pages_to(app: Flask) -> None:
    """Serve the pages on this application, behind as many proxies as the settings trust."""
    from closingbell.web import add_pages  # noqa: PLC0415  (keeps the pages out of every command's start-up)

    context: JobContext = app.extensions[EXTENSION]
    add_pages(app, app.extensions[JOBS_EXTENSION])
    hops = context.settings.trusted_proxies
    if hops:
        from werkzeug.middleware.proxy_fix import ProxyFix  # noqa: PLC0415  (keeps it out where no proxy is)

        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]


def _observer(settings: Settings) -> RunObserver:
    """Tells the dead-man's switch of the daily job, where one is set."""
    if not settings.healthcheck_url:
        return Unobserved()
    from closingbell.notifications.healthcheck import HealthcheckPinger  # noqa: PLC0415  (keeps it out of start-up)

    pinger = HealthcheckPinger(settings.healthcheck_url, job_names=frozenset({"daily_price_update"}))
    # Registered before any scheduler's end, so that it is carried out after it: the last runs still tell.
    atexit.register(pinger.close, 5.0)
    return pinger


def _is_served_by_flask_run() -> bool:
    """Whether ``flask run`` is loading the application, in the process that will serve it.

    With the reloader on, a first process only watches files and starts the one that serves.
    """
    command = click.get_current_context(silent=True)
    if command is None or command.info_name != "run":
        return False
    reloads = command.params.get("reload")
    is_debug = command.find_root().params.get("debug") or get_debug_flag()
    watches = is_debug if reloads is None else reloads
    return not watches or os.environ.get("WERKZEUG_RUN_MAIN") == "true"


def start_scheduler_of(app: Flask) -> Scheduler:
    """Start the application's scheduler and end it with the process.

    Raise DatabaseNotReadyError without tables of this version.
    """
    from closingbell.jobs.scheduler import Scheduler  # noqa: PLC0415  (keeps it out of every other command's start-up)
    from closingbell.utils.logs import configure_logs  # noqa: PLC0415  (keeps structlog out of start-up)

    context: JobContext = app.extensions[EXTENSION]
    configure_logs(context.settings.log_level, context.settings.log_format)
    require_this_version(context.database)
    context = replace(context, application=app)
    scheduler = Scheduler(context, app.extensions[JOBS_EXTENSION])
    scheduler.start()
    app.extensions[SCHEDULER_EXTENSION] = scheduler
    _end_with_process(scheduler.shutdown)
    return scheduler


def _end_with_process(end: Callable[[], None]) -> None:
    """Call ``end`` while jobs can still work: before Python shuts every thread pool, which ``atexit`` comes after."""
    import concurrent.futures.thread  # noqa: F401, PLC0415  (keeps pools out of start-up; they end after what comes later)

    getattr(threading, "_register_atexit", atexit.register)(end)


def provider_opener(
    settings: Settings, *, wall: Clock | None = None, database: Database | None = None
) -> Callable[[], PriceProvider]:
    """Opens the chosen providers on first use and keeps them: their sessions hold cookies and connections.

    Whoever opens them asks by the names that companies have then, as ``database`` has them.
    """
    lock = threading.Lock()
    opened: list[PriceProvider] = []
    books: list[NameBook] = []

    def open_provider() -> PriceProvider:
        from closingbell.providers.registry import open_chain  # noqa: PLC0415  (keeps providers out of start-up)
        from closingbell.stores.symbols import NameBook  # noqa: PLC0415  (keeps the tables out of start-up)

        with lock:
            if not opened:
                books.append(NameBook(database))
                opened.append(open_chain(settings, wall=wall, spelling=books[0].spell))
            books[0].read()
            return opened[0]

    return open_provider


def opener_of_one(context: JobContext, name: str) -> Callable[[], PriceProvider]:
    """Opens one provider alone; raise UsageError when there is none of that name, or it cannot be used."""
    alone = context.settings.model_copy(update={"price_providers": name})
    open_provider = provider_opener(alone, wall=context.wall, database=context.database)
    try:
        open_provider()
    except SettingsError as error:
        raise UsageError(str(error).removeprefix("PRICE_PROVIDERS: ")) from None
    return open_provider


def _require_known_providers(settings: Settings) -> None:
    if settings.providers_in_order != ("yahoo",):
        from closingbell.providers.registry import require_known  # noqa: PLC0415  (keeps providers out of start-up)

        require_known(settings)
