"""Operating the jobs: pause, resume, cancel, retry, and the scheduler itself."""

from __future__ import annotations

import getpass
import signal
import threading

import click
from flask import current_app
from flask.cli import with_appcontext

from closingbell.app import start_scheduler_of
from closingbell.commands.output import Command
from closingbell.errors import SettingsError, UsageError
from closingbell.jobs.context import JOBS_EXTENSION, current_context
from closingbell.jobs.registry import Registry
from closingbell.stores.marks import require_origin, require_this_version
from closingbell.usecases import control

by_option = click.option("--by", default=getpass.getuser, help="Who asks; your user name unless told.")


def _registry() -> Registry:
    registry: Registry = current_app.extensions[JOBS_EXTENSION]
    return registry


@click.command("pause-job", cls=Command)
@click.argument("job_id")
@click.option("--why", help="The reason, for those who look later.")
@by_option
@with_appcontext
def pause_job(job_id: str, why: str | None, by: str) -> None:
    """Pause a job until it is resumed; due times meanwhile are recorded as skipped."""
    changed = control.pause_job(current_context(), _registry(), job_id, by=by, why=why)
    click.echo(f"{job_id} is paused" if changed else f"{job_id} was paused already")


@click.command("resume-job", cls=Command)
@click.argument("job_id")
@by_option
@with_appcontext
def resume_job(job_id: str, by: str) -> None:
    """Resume a paused job."""
    changed = control.resume_job(current_context(), _registry(), job_id, by=by)
    click.echo(f"{job_id} goes on" if changed else f"{job_id} was not paused")


@click.command("cancel-run", cls=Command)
@click.argument("run_id", type=int)
@by_option
@with_appcontext
def cancel_run(run_id: int, by: str) -> None:
    """Ask a running run to stop; what it has stored is kept."""
    if not control.cancel_run(current_context(), run_id, by=by):
        raise UsageError(f"run {run_id} is not running, or was cancelled already")
    click.echo(f"run {run_id} will stop within seconds")


@click.command("retry-run", cls=Command)
@click.argument("run_id", type=int)
@by_option
@with_appcontext
def retry_run(run_id: int, by: str) -> None:
    """Ask for a run over the failed companies of a finished one; a scheduler takes it up."""
    request_id = control.retry_run(current_context(), _registry(), run_id, by=by)
    click.echo(f"request {request_id}: a scheduler takes it up within seconds")


@click.command("run-scheduler", cls=Command)
@with_appcontext
def run_scheduler() -> None:
    """Run the scheduler alone, in the foreground; SIGTERM or Ctrl-C ends it as JOBS_SHUTDOWN_GRACE says."""
    context = current_context()
    if not context.settings.jobs_enabled:
        raise SettingsError("JOBS_ENABLED is false: no scheduler may run here")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    scheduler = start_scheduler_of(current_app._get_current_object())  # type: ignore[attr-defined]
    click.echo(f"scheduler {scheduler.owner} runs {', '.join(sorted(scheduler.registry))}; Ctrl-C ends it")
    # In slices: a wait without end would keep signals from being seen on some systems.
    while not ended.wait(1.0):
        pass
    click.echo("finishing what runs ...")
    scheduler.shutdown()


@click.command("serve", cls=Command)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65_535), default=8000, show_default=True)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
@with_appcontext
def serve(host: str, port: int, workers: int) -> None:
    """Serve the application with gunicorn; every worker has a scheduler unless JOBS_ENABLED is false."""
    from closingbell.api.scheduler import require_way_in  # noqa: PLC0415  (keeps the API out of the other commands)
    from closingbell.commands.serving import Server  # noqa: PLC0415  (keeps gunicorn out of the other commands)

    context = current_context()
    # Here, where it is one line on the screen: in a worker it would end in a traceback.
    require_this_version(context.database)
    if context.settings.jobs_enabled:
        require_origin(context.database, context.settings.origin)
    if context.settings.scheduler_api_enabled:
        require_way_in(context)
    # No connection may cross the fork.
    context.database.dispose()
    # Longer than a scheduler takes to end at the worst.
    grace = int(context.settings.jobs_shutdown_grace) + 15
    Server(f"{host}:{port}", workers=workers, graceful_timeout_s=grace).run()
