"""``closingbell doctor``: what is well, what is not, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta

import click
from flask import current_app
from flask.cli import with_appcontext

from closingbell.commands.database import alembic_for
from closingbell.commands.output import EXIT_FAILED, Command, format_option, new_york_today, print_rows
from closingbell.errors import DatabaseNotReadyError, ProviderError, RateLimitedError, SettingsError
from closingbell.jobs.context import JOBS_EXTENSION, JobContext, current_context
from closingbell.queries.doctor import (
    FAIL,
    OK,
    WARN,
    Check,
    Patient,
    examine_machine,
    examine_reachable,
    examine_tables,
    first_held_symbol,
    guarded,
)
from closingbell.queries.provider_checks import judge_providers
from closingbell.stores.marks import require_this_version
from closingbell.usecases.providers import list_providers
from closingbell.utils.logs import configure_logs

# Days asked for: at least one session lies in them, whatever holidays there are.
_DAYS = timedelta(days=10)


@click.command(cls=Command)
@click.option("--offline", is_flag=True, help="Leave out the one request to the provider.")
@format_option
@with_appcontext
def doctor(offline: bool, format_: str) -> None:
    """Look at everything that can be wrong; exit code 1 when something is."""
    context = current_context()
    configure_logs(context.settings.log_level, context.settings.log_format)
    checks = _examine(context, offline=offline)
    columns: dict[str, Callable[[Check], str]] = {
        "state": lambda check: check.state,
        "what": lambda check: check.name,
        "finding": lambda check: check.message + (f" -> {check.way_out}" if check.way_out else ""),
    }
    print_rows(checks, format_, columns=columns, empty="nothing to look at")
    if any(check.state == FAIL for check in checks):
        sys.exit(EXIT_FAILED)


def _examine(context: JobContext, *, offline: bool) -> list[Check]:
    """Every check, those that stand on others only where these are well."""
    patient = Patient(
        settings=context.settings,
        database=context.database,
        registry=current_app.extensions[JOBS_EXTENSION],
        cache_folder=context.settings.cache_folder(),
        now=context.clock.now(),
        wall=context.wall.now(),
    )
    checks = [*examine_machine(patient), *guarded("dead-man's switch", lambda: _check_healthcheck(context))]
    checks += judge_providers(list_providers(context), lambda moment: new_york_today(moment, now=context.wall.now()))
    reachable = examine_reachable(patient)
    checks += reachable
    if reachable[0].state == OK:
        migrated = guarded("tables", lambda: _check_migrated(context))
        checks += migrated
        if migrated[0].state == OK:
            checks += examine_tables(patient)
            checks += [] if offline else guarded("provider", lambda: _check_provider(context))
    return checks


def _check_healthcheck(context: JobContext) -> Check:
    from closingbell.notifications.healthcheck import check_url  # noqa: PLC0415  (keeps it out where it is not set)

    name, url = "dead-man's switch", context.settings.healthcheck_url
    if not url:
        return Check(name, OK, "none; HEALTHCHECK_URL would let somebody outside notice when all is silent")
    try:
        check_url(url)
    except SettingsError as error:
        return Check(name, FAIL, str(error), "copy the check's address anew")
    return Check(name, OK, "HEALTHCHECK_URL is an address (not shown, not asked)")


def _check_migrated(context: JobContext) -> Check:
    """Whether the tables are there and of this version."""
    try:
        require_this_version(context.database)
    except DatabaseNotReadyError as error:
        message, _, way_out = str(error).partition("; ")
        return Check("tables", FAIL, message, way_out.removeprefix("run: "))
    if alembic_for(current_app._get_current_object()).needs_upgrade():  # type: ignore[attr-defined]
        return Check("tables", FAIL, "the tables are of another version", "closingbell init-db")
    return Check("tables", OK, "of this version")


def _check_provider(context: JobContext) -> Check:
    """One request for one company's last days; nothing of it is stored."""
    now, symbol = context.clock.now(), first_held_symbol(context.database)
    try:
        history = context.open_provider().fetch_daily(symbol, first=(now - _DAYS).date(), now=now)
    except RateLimitedError as error:
        return Check(
            "provider", WARN, f"answers, but asks for fewer requests: {error}", "wait; jobs do so by themselves"
        )
    except ProviderError as error:
        return Check(
            "provider", FAIL, f"{error.kind}: {error}", "look at the network, a proxy, or the provider's status"
        )
    newest = f", the newest of {history.bars[-1].date}" if history.bars else ""
    return Check("provider", OK, f"{history.provider} gave {len(history.bars)} bars of {symbol}{newest}")
