"""End-of-day prices: plan, fetch, check, store, settle, report.

Every step hands frozen values to the next. The database is closed while the provider is asked.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date, datetime
from functools import partial

from structlog.contextvars import bound_contextvars

from closingbell.domain.planning import FetchItem
from closingbell.domain.runs import Outcome, RunSummary, in_words, status_from_coverage
from closingbell.errors import ProviderError
from closingbell.jobs.context import JobContext, current_context
from closingbell.jobs.dividend_processor import process_after_prices
from closingbell.jobs.fan_out import fan_out, in_chunks
from closingbell.jobs.price_planning import Plan, Selection, plan_refresh
from closingbell.jobs.price_quotes import Asked, take_quotes
from closingbell.jobs.price_settling import Fetched
from closingbell.jobs.price_storing import store_chunk, store_planned
from closingbell.jobs.runner import Ending, Occasion, Run, carry_out
from closingbell.jobs.second_opinion import ask_second_opinions
from closingbell.jobs.unknown_symbols import closed_in_words, note_unknown
from closingbell.providers.base import DailyHistory, PriceProvider
from closingbell.stores.marks import claim_origin
from closingbell.utils.retry_helper import retry_with_backoff
from closingbell.utils.waiting import watched

DAILY_PRICE_UPDATE = "daily_price_update"
REFRESH_PRICES = "refresh_prices"

# What is stored in one transaction: many companies with a bar or two each, or few with years of them.
CHUNK_COMPANIES = 200
CHUNK_BARS = 60_000
# Under a tight budget answers come slowly: what is there is stored this often all the same.
CHUNK_AGE_S = 5.0


def update_daily_prices(context: JobContext | None = None, occasion: Occasion | None = None) -> RunSummary:
    """Fetch and store every end-of-day bar that should be there and is not, of every company that somebody holds."""
    return refresh_prices(context, Selection(by_quote=True), occasion, job_name=DAILY_PRICE_UPDATE)


def run_daily_price_update(
    context: JobContext, occasion: Occasion, *, symbols: Sequence[str] | None = None
) -> RunSummary:
    """The daily job as the scheduler and people run it; ``symbols`` narrows it. Dividends are looked at afterwards."""
    selection = Selection(tuple(symbols) if symbols else None, by_quote=True)
    summary = refresh_prices(context, selection, occasion, job_name=DAILY_PRICE_UPDATE)
    process_after_prices(context)
    return summary


def refresh_prices(
    context: JobContext | None = None,
    selection: Selection | None = None,
    occasion: Occasion | None = None,
    *,
    job_name: str = REFRESH_PRICES,
) -> RunSummary:
    """The same for chosen companies and dates; each is asked for by itself unless the selection says otherwise."""
    context = context or current_context()
    chosen = selection or Selection()
    if chosen.symbols is not None or chosen.is_dated:
        # A question that cannot be answered is refused before it becomes a run.
        claim_origin(context.database, context.settings.origin, clock=context.clock)
        plan_refresh(context, chosen)
    return carry_out(context, job_name, lambda run: _refresh(context, run, chosen), occasion)


def _refresh(context: JobContext, run: Run, selection: Selection) -> Ending:
    plan = plan_refresh(context, selection)
    run.items.extend(plan.skipped)
    for item in plan.skipped:
        context.progress.ended(item)
    asked = fetch_and_store(context, run, plan)
    closed = note_unknown(context, run, plan)
    ask_second_opinions(context, run)
    expected = [item for item in run.items if item.outcome is not Outcome.SKIPPED]
    told = in_words(run.job_name, expected, plan.newest_in_words())
    message = told + asked.in_words() + closed_in_words(closed)
    return Ending(status_from_coverage(run.items), message)


def fetch_and_store(context: JobContext, run: Run, plan: Plan) -> Asked:
    """Carry out a plan: quotes first, and charts for what they cannot do; how it was asked."""
    asked = Asked()
    context.progress.planned(len(plan.items))
    if not plan.items:
        return asked
    provider = context.open_provider()
    store_planned(context, run, len(plan.items))
    charts = [*plan.charts, *take_quotes(context, run, plan, provider, asked)]
    asked.charts = len(charts)
    _fetch_charts(context, run, plan, provider, charts)
    return asked


def _fetch_charts(
    context: JobContext, run: Run, plan: Plan, provider: PriceProvider, items: Sequence[FetchItem]
) -> None:
    """Fetch with many threads, store with this one: a chunk a transaction."""
    answers = fan_out(
        partial(_fetch_one, context, run, provider), items, concurrency=context.settings.yahoo_concurrency
    )
    chunks = in_chunks(answers, most=CHUNK_COMPANIES, age_s=CHUNK_AGE_S, weight=_bar_count, most_weight=CHUNK_BARS)
    for chunk in chunks:
        outcomes = store_chunk(context, run, plan, chunk)
        for outcome in outcomes:
            context.progress.ended(outcome)


def _fetch_one(context: JobContext, run: Run, provider: PriceProvider, item: FetchItem) -> Fetched:
    """One company's answer, or the error in its place: one bad symbol never stops the rest."""
    run.check()
    context.progress.asked(item.symbol)
    began = time.monotonic()
    tries: list[datetime] = []
    history: DailyHistory | None = None
    error: ProviderError | None = None
    try:
        with watched(run.check), bound_contextvars(symbol=item.symbol):
            history = fetch_stock_history(
                provider, item.symbol, first=item.asked_from, now=context.clock.now(), tries=tries
            )
    except ProviderError as caught:
        error = caught
    return Fetched(item, history, error, len(tries), round((time.monotonic() - began) * 1000))


@retry_with_backoff(jitter=0.2)
def fetch_stock_history(
    provider: PriceProvider, symbol: str, *, first: date, now: datetime, tries: list[datetime] | None = None
) -> DailyHistory:
    """The daily bars of ``symbol`` from ``first`` to ``now``, with retries; ``tries`` collects one entry per try."""
    if tries is not None:
        tries.append(now)
    return provider.fetch_daily(symbol, first=first, now=now)


def _bar_count(answer: Fetched) -> int:
    return len(answer.history.bars) if answer.history else 0
