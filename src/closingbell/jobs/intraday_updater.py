"""Prices while a session runs: plan, fetch minutes (or quotes), check, store, report.

The database is closed while the provider is asked. What is stored is provisional; the daily job puts the session's own
bar in its place after the close.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

from structlog.contextvars import bound_contextvars

from closingbell.domain.intraday import refresh_in_words
from closingbell.domain.runs import Outcome, RunStatus, RunSummary, status_from_coverage
from closingbell.errors import PermanentProviderError, ProviderError, SymbolUnknownError
from closingbell.jobs.context import JobContext, current_context
from closingbell.jobs.dividend_processor import process_after_prices
from closingbell.jobs.fan_out import fan_out, in_chunks
from closingbell.jobs.intraday_planning import IntradayItem, IntradayPlan, plan_intraday
from closingbell.jobs.intraday_storing import Told, store_answers
from closingbell.jobs.price_planning import QUOTES_PER_REQUEST
from closingbell.jobs.price_storing import store_planned
from closingbell.jobs.runner import Ending, Occasion, Run, carry_out
from closingbell.jobs.split_guard import look_for_splits
from closingbell.providers.base import MINUTES, QUOTES, MinuteHistory, PriceProvider, Quote
from closingbell.stores.upsert import in_groups
from closingbell.utils.retry_helper import retry_with_backoff
from closingbell.utils.waiting import watched

INTRADAY_PRICE_REFRESH = "intraday_price_refresh"

# What is stored in one transaction: a company's day is up to 390 minutes.
CHUNK_COMPANIES = 50
CHUNK_AGE_S = 5.0


def update_intraday_prices(context: JobContext | None = None, occasion: Occasion | None = None) -> RunSummary:
    """Bring today's bar up to date for every company that was traded in the last 24 hours or is watched.

    Does nothing while their exchanges are closed, and says until when.
    """
    return run_intraday_refresh(context or current_context(), occasion or Occasion())


def run_intraday_refresh(
    context: JobContext, occasion: Occasion, *, symbols: Sequence[str] | None = None
) -> RunSummary:
    """The intraday job as the scheduler and people run it; ``symbols`` names the companies instead."""
    # A run that was due at the close begins a moment after it, and still stores the session's last minutes.
    moment = occasion.fire_time or context.clock.now()
    splits: list[str] = []
    summary = carry_out(
        context, INTRADAY_PRICE_REFRESH, lambda run: _refresh(context, run, symbols, moment, splits), occasion
    )
    if splits:
        process_after_prices(context)
    return summary


def _refresh(
    context: JobContext, run: Run, symbols: Sequence[str] | None, moment: datetime, splits: list[str]
) -> Ending:
    """``splits`` collects the companies of which a split was found."""
    # First, so that the prices of this run are judged with the splits that are found.
    looked = look_for_splits(context, run, symbols, moment=moment)
    splits += looked.found
    plan = plan_intraday(context, symbols, moment=moment)
    run.items.extend(plan.skipped)
    for item in plan.skipped:
        context.progress.ended(item)
    context.progress.planned(len(plan.items))
    if not plan.items:
        return Ending(RunStatus.SUCCESS, plan.why_nothing + looked.in_words())
    _fetch_and_store(context, run, plan)
    asked = [item for item in run.items if item.outcome is not Outcome.SKIPPED]
    message = refresh_in_words(asked, plan.moment, plan.closed) + looked.in_words()
    return Ending(status_from_coverage(asked), message)


def _fetch_and_store(context: JobContext, run: Run, plan: IntradayPlan) -> None:
    """Fetch with many threads, store with this one: a group a transaction."""
    provider = context.open_provider()
    store_planned(context, run, len(plan.items))
    for chunk in in_chunks(_answers(context, run, provider, plan.items), most=CHUNK_COMPANIES, age_s=CHUNK_AGE_S):
        run.check()
        for outcome in store_answers(context, run, chunk):
            context.progress.ended(outcome)


def _answers(context: JobContext, run: Run, provider: PriceProvider, items: Sequence[IntradayItem]) -> Iterator[Told]:
    """Minutes of every company; where there are none to be had, quotes, many in one request."""
    concurrency = context.settings.yahoo_concurrency
    for_quotes: list[Told] = []
    if MINUTES in provider.capabilities:
        for told in fan_out(partial(_ask_minutes, context, run, provider), items, concurrency=concurrency):
            if isinstance(told.error, PermanentProviderError) and QUOTES in provider.capabilities:
                for_quotes.append(told)
            else:
                yield told
    else:
        for_quotes = [Told(item, note=f"from quotes: {provider.name} has no minutes") for item in items]
    groups = in_groups(for_quotes, QUOTES_PER_REQUEST)
    for answers in fan_out(partial(_ask_quotes, context, run, provider), groups, concurrency=concurrency):
        yield from answers


def _ask_minutes(context: JobContext, run: Run, provider: PriceProvider, item: IntradayItem) -> Told:
    """One company's minutes, or the error in their place: one bad symbol never stops the rest."""
    run.check()
    context.progress.asked(item.symbol)
    began = time.monotonic()
    tries: list[datetime] = []
    history: MinuteHistory | None = None
    error: ProviderError | None = None
    try:
        with watched(run.check), bound_contextvars(symbol=item.symbol):
            now = context.clock.now()
            history = fetch_intraday_data(provider, item.symbol, since=item.since, now=now, tries=tries)
    except ProviderError as caught:
        error = caught
    note = f"from quotes: {error}" if isinstance(error, PermanentProviderError) else None
    return Told(item, history, error, note, len(tries), _ms_since(began))


def _ask_quotes(context: JobContext, run: Run, provider: PriceProvider, group: Sequence[Told]) -> list[Told]:
    """The quotes of a group in one request; a company without one keeps the error that its minutes had."""
    run.check()
    began = time.monotonic()
    tries: list[datetime] = []
    quotes: dict[str, Quote] = {}
    failed: ProviderError | None = None
    try:
        with watched(run.check):
            symbols = [told.item.symbol for told in group]
            quotes = _fetch_quotes(provider, symbols, now=context.clock.now(), tries=tries)
    except ProviderError as caught:
        failed = caught
    spent = _ms_since(began)
    return [_with_quote(told, quotes.get(told.item.symbol), failed, len(tries), spent) for told in group]


def _with_quote(told: Told, quote: Quote | None, failed: ProviderError | None, tries: int, spent: int) -> Told:
    error = None
    if quote is None:
        error = told.error or failed or SymbolUnknownError(f"no quote is known for {told.item.symbol}")
    return Told(told.item, quote, error, told.note, told.attempt_count + tries, told.duration_ms + spent)


@retry_with_backoff(jitter=0.2)
def fetch_intraday_data(
    provider: PriceProvider, symbol: str, *, since: datetime, now: datetime, tries: list[datetime] | None = None
) -> MinuteHistory:
    """The minute bars of ``symbol`` from ``since`` to ``now``, with retries; ``tries`` collects one entry per try."""
    if tries is not None:
        tries.append(now)
    return provider.fetch_minutes(symbol, since=since, now=now)


@retry_with_backoff(jitter=0.2)
def _fetch_quotes(
    provider: PriceProvider, symbols: Sequence[str], *, now: datetime, tries: list[datetime]
) -> dict[str, Quote]:
    """The quotes of ``symbols``, with retries."""
    tries.append(now)
    return provider.fetch_quotes(symbols, now=now)


def _ms_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
