"""Fetching prices by hand."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import date
from functools import partial

import click
from flask import current_app
from flask.cli import with_appcontext

from closingbell.app import opener_of_one
from closingbell.commands.output import (
    EXIT_CODES,
    Command,
    DateType,
    format_option,
    print_json,
    symbols_option,
)
from closingbell.domain.runs import GOOD_OUTCOMES, ItemOutcome, Outcome, RunSummary, requests_in_words
from closingbell.jobs.context import JOBS_EXTENSION, JobContext, Progress, current_context
from closingbell.jobs.dividend_processor import process_after_prices
from closingbell.jobs.price_planning import Plan, Selection, plan_refresh, plan_sweep
from closingbell.jobs.price_sweep import PRICE_SWEEP, sweep_prices
from closingbell.jobs.price_updater import DAILY_PRICE_UPDATE, refresh_prices
from closingbell.jobs.runner import Occasion
from closingbell.stores.marks import claim_origin
from closingbell.usecases.control import request_run
from closingbell.utils.logs import configure_logs
from closingbell.utils.text import listed


@click.command("run-daily-price-update", cls=Command)
@symbols_option
@click.option("--dry-run", is_flag=True, help="Print what would be fetched and stop.")
@click.option("--wait/--no-wait", default=True, help="Run it here and now, or ask a scheduler to.", show_default=True)
@format_option
@with_appcontext
def run_daily_price_update(symbols: tuple[str, ...] | None, dry_run: bool, wait: bool, format_: str) -> None:
    """Fetch and store every missing or provisional close of every company that somebody holds."""
    occasion = Occasion(requested_by=getpass.getuser(), arguments={"symbols": list(symbols)} if symbols else {})
    if wait or dry_run:
        job = partial(refresh_prices, occasion=occasion, job_name=DAILY_PRICE_UPDATE)
        _run(job, Selection(symbols, by_quote=True), dry_run=dry_run, format_=format_, with_dividends=True)
    else:
        ask_scheduler(DAILY_PRICE_UPDATE, symbols, format_)


@click.command("run-price-sweep", cls=Command)
@symbols_option
@click.option("--dry-run", is_flag=True, help="Print what would be fetched and stop.")
@click.option("--wait/--no-wait", default=True, help="Run it here and now, or ask a scheduler to.", show_default=True)
@format_option
@with_appcontext
def run_price_sweep_command(symbols: tuple[str, ...] | None, dry_run: bool, wait: bool, format_: str) -> None:
    """Read the last month again, with dividends and splits, of every company whose turn it is; settles its bars."""
    context = current_context()
    configure_logs(context.settings.log_level, context.settings.log_format)
    if dry_run:
        claim_origin(context.database, context.settings.origin, clock=context.clock)
        _print_plan(plan_sweep(context, symbols), format_)
    elif wait:
        occasion = Occasion(requested_by=getpass.getuser(), arguments={"symbols": list(symbols)} if symbols else {})
        job = partial(sweep_prices, occasion=occasion, symbols=symbols)
        _report(context, job, format_, with_dividends=True)
    else:
        ask_scheduler(PRICE_SWEEP, symbols, format_)


def ask_scheduler(job_name: str, symbols: tuple[str, ...] | None, format_: str) -> None:
    """Leave a request for a scheduler, and say so."""
    registry = current_app.extensions[JOBS_EXTENSION]
    request_id = request_run(current_context(), registry, job_name, by=getpass.getuser(), symbols=symbols)
    if format_ == "json":
        print_json({"request_id": request_id})
    else:
        click.echo(f"request {request_id}: a scheduler takes it up within seconds")


@click.command("refresh-prices", cls=Command)
@symbols_option
@click.option("--date", "on", type=DateType(), help="Only this session, YYYY-MM-DD.")
@click.option("--from", "first", type=DateType(), help="From this session on, also before anything was held.")
@click.option("--to", "last", type=DateType(), help="Up to this session; the newest one unless told.")
@click.option("--force", is_flag=True, help="Ask again even for what is settled.")
@click.option("--provider", metavar="NAME", help="Ask this provider alone, whether it is in PRICE_PROVIDERS or not.")
@click.option("--dry-run", is_flag=True, help="Print what would be fetched and stop.")
@format_option
@with_appcontext
def refresh_prices_command(
    symbols: tuple[str, ...] | None,
    on: date | None,
    first: date | None,
    last: date | None,
    force: bool,
    provider: str | None,
    dry_run: bool,
    format_: str,
) -> None:
    """Fetch prices of chosen companies and dates; without options, of all that is held."""
    opener = opener_of_one(current_context(), provider) if provider else None

    def job(context: JobContext, selection: Selection) -> RunSummary:
        context = replace(context, open_provider=opener) if opener else context
        return refresh_prices(context, selection, Occasion(requested_by=getpass.getuser()))

    _run(job, Selection(symbols, on, force, first=first, last=last), dry_run=dry_run, format_=format_)


def _run(
    job: Callable[[JobContext, Selection], RunSummary],
    selection: Selection,
    *,
    dry_run: bool,
    format_: str,
    with_dividends: bool = False,
) -> None:
    """Carry out a price job with progress on the screen and its outcome as the exit code."""
    context = current_context()
    configure_logs(context.settings.log_level, context.settings.log_format)
    if dry_run:
        claim_origin(context.database, context.settings.origin, clock=context.clock)
        _print_plan(plan_refresh(context, selection), format_)
        return
    _report(context, lambda watched: job(watched, selection), format_, with_dividends=with_dividends)


def _report(
    context: JobContext, job: Callable[[JobContext], RunSummary], format_: str, *, with_dividends: bool
) -> None:
    """Carry out a job with progress on the screen; its outcome is the exit code."""
    with progress_on_screen(quiet=format_ == "json") as progress:
        summary = job(replace(context, progress=progress))
    if format_ == "json":
        print_json(summary)
    else:
        print_summary(summary)
    dividends = process_after_prices(context) if with_dividends else None
    if dividends is not None and dividends.items and format_ == "text":
        click.echo(f"dividends: {dividends.message} (run {dividends.run_id})")
    sys.exit(EXIT_CODES[summary.status])


def _print_plan(plan: Plan, format_: str) -> None:
    if format_ == "json":
        print_json(
            [
                {"symbol": item.symbol, "first": item.asked_from, "wanted": item.wanted, "by_quote": item.by_quote}
                for item in plan.items
            ]
        )
        return
    for item in plan.items:
        click.echo(item.in_words())
    for skipped in plan.skipped:
        click.echo(f"{skipped.symbol}  skipped: {skipped.message}")
    click.echo(f"would send {plan.requests_in_words()}" if plan.items else "nothing is due")


def print_summary(summary: RunSummary) -> None:
    """The outcome of a run in a few lines, failures by name."""
    for item in summary.failed:
        click.echo(f"{item.symbol}: {item.message or item.outcome.value}", err=True)
    click.echo(f"{summary.status.value}: {summary.message}")
    click.echo(
        f"successful {_count(summary, Outcome.STORED, Outcome.PROVISIONAL)}, failed {len(summary.failed)}, "
        f"skipped {_count(summary, Outcome.SKIPPED)}, unchanged {_count(summary, Outcome.UNCHANGED)}; "
        f"{sum(item.stored_count for item in summary.items)} bars stored, "
        f"{sum(item.changed_count for item in summary.items)} changed, "
        f"requests: {requests_in_words(summary.request_count, summary.requests_by_provider)} (run {summary.run_id})"
    )
    skipped = [item for item in summary.items if item.outcome is Outcome.SKIPPED]
    if skipped:
        click.echo(f"skipped {listed([item.symbol for item in skipped])}: {skipped[0].message}")


def _count(summary: RunSummary, *outcomes: Outcome) -> int:
    return sum(item.outcome in outcomes for item in summary.items)


def progress_on_screen(*, quiet: bool) -> AbstractContextManager[Progress]:
    """A bar with symbol, counts and time left on a terminal; one line a failure elsewhere."""
    if quiet:
        return nullcontext(Progress())
    if sys.stderr.isatty():
        return _Bar()
    return nullcontext(Progress())


class _Bar(AbstractContextManager[Progress]):
    """A progress bar that names the current symbol."""

    def __enter__(self) -> Progress:
        from rich.console import Console  # noqa: PLC0415  (keeps it out of start-up; only a terminal needs it)
        from rich.progress import (  # noqa: PLC0415  (keeps it out of start-up)
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress  # noqa: PLC0415  (keeps it out of start-up)

        columns = [
            TextColumn("{task.description:<12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failed]} failed"),
            TimeRemainingColumn(),
        ]
        self._rich = RichProgress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._rich.add_task("planning", total=None, failed=0)
        self._failed = 0
        self._rich.start()
        return Progress(planned=self._planned, asked=self._asked, ended=self._ended)

    def __exit__(self, *_error: object) -> None:
        self._rich.stop()

    def _planned(self, count: int) -> None:
        self._rich.update(self._task, total=count, description="fetching")

    def _asked(self, symbol: str) -> None:
        self._rich.update(self._task, description=symbol)

    def _ended(self, item: ItemOutcome) -> None:
        self._failed += item.outcome not in GOOD_OUTCOMES
        self._rich.update(self._task, advance=1, failed=self._failed)
