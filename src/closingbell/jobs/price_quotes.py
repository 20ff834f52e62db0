"""The newest close of many companies from one request: asked, judged, stored; what a quote cannot do is handed back.

A quote is only taken where it agrees with what is stored. Whatever is wrong with it costs that company a chart.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from closingbell.domain.bars import (
    INTRADAY,
    YOUNG_SESSIONS,
    Bar,
    MergedBars,
    Neighbourhood,
    StoredBar,
    merge_bars,
    same_price,
)
from closingbell.domain.planning import FetchItem, SessionList, plan_reread
from closingbell.domain.quotes import ABSENT, Expected, Refused, judge_quote
from closingbell.domain.runs import ItemOutcome, Outcome
from closingbell.errors import ProviderError, RateLimitedError
from closingbell.jobs.context import JobContext
from closingbell.jobs.fan_out import fan_out, in_chunks
from closingbell.jobs.price_planning import QUOTES_PER_REQUEST, Plan
from closingbell.jobs.price_settling import CONTEXT, Fetched, check_answer, not_answered
from closingbell.jobs.runner import Run, store_progress
from closingbell.providers.base import QUOTES, PriceProvider, Quote
from closingbell.stores import companies, job_log, prices
from closingbell.stores.bulk import raw_instant
from closingbell.stores.upsert import in_groups
from closingbell.utils.retry_helper import retry_with_backoff
from closingbell.utils.waiting import watched

# So many requests' answers are stored in one transaction; when they come slowly, what is there after so long.
CHUNK_REQUESTS = 10
CHUNK_AGE_S = 5.0


@dataclass(slots=True)
class Asked:
    """How a run asked: requests for quotes, companies asked by chart, and why quotes were given up, if they were."""

    quote_requests: int = 0
    charts: int = 0
    refusal: str | None = None

    def in_words(self) -> str:
        """``; 20 quote requests, 0 charts``, or nothing where no quote was asked for."""
        if not self.quote_requests and self.refusal is None:
            return ""
        quotes = f"{self.quote_requests} quote request{'' if self.quote_requests == 1 else 's'}"
        charts = f"{self.charts} chart{'' if self.charts == 1 else 's'}"
        return f"; {quotes}, {charts}" + (f" instead of quotes: {self.refusal}" if self.refusal else "")


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of one request: quotes, an error, or nothing because it was not sent after all."""

    items: Sequence[FetchItem]
    at: datetime
    quotes: Mapping[str, Quote] = field(default_factory=dict)
    error: ProviderError | None = None
    attempt_count: int = 0
    duration_ms: int = 0

    @property
    def is_answered(self) -> bool:
        """Whether quotes came."""
        return self.attempt_count > 0 and self.error is None


@dataclass(frozen=True, slots=True)
class _Taken:
    """One company's quote, decided: what to write and how it ended."""

    company_id: int
    merged: MergedBars
    flags: Mapping[date, str]
    quote: Quote
    at: datetime
    outcome: ItemOutcome


class _Gate:
    """Shut by the first refusal, so that the requests behind it are not sent in vain."""

    def __init__(self) -> None:
        self._shut = threading.Event()

    def shut(self) -> None:
        """No further request."""
        self._shut.set()

    @property
    def is_shut(self) -> bool:
        """Whether a request was refused."""
        return self._shut.is_set()


def take_quotes(context: JobContext, run: Run, plan: Plan, provider: PriceProvider, asked: Asked) -> list[FetchItem]:
    """Store what quotes tell of the plan's companies; return those that have to be asked for by chart."""
    items = plan.quoted
    if not items:
        return []
    if QUOTES not in provider.capabilities:
        asked.refusal = f"{provider.name} has none"
        return [_by_chart(plan, item) for item in items]
    groups = list(in_groups(items, QUOTES_PER_REQUEST))
    charts: list[FetchItem] = []
    again = _round(context, run, plan, provider, groups, asked, charts)
    if again and len(again) < len(groups):
        # The endpoint answers: what failed may have had bad luck.
        again = _round(context, run, plan, provider, [answer.items for answer in again], asked, charts)
    if again:
        asked.refusal = str(next((answer.error for answer in again if answer.error), "not asked"))
    return charts + [_by_chart(plan, item) for answer in again for item in answer.items]


def _round(
    context: JobContext,
    run: Run,
    plan: Plan,
    provider: PriceProvider,
    groups: Sequence[Sequence[FetchItem]],
    asked: Asked,
    charts: list[FetchItem],
) -> list[_Answer]:
    """Ask for every group, store what came and collect what needs ``charts``; return what got no answer."""
    ask = partial(_ask, context, run, provider, _Gate())
    unanswered: list[_Answer] = []
    answers = fan_out(ask, groups, concurrency=context.settings.yahoo_concurrency)
    for chunk in in_chunks(answers, most=CHUNK_REQUESTS, age_s=CHUNK_AGE_S):
        run.check()
        asked.quote_requests += sum(answer.attempt_count for answer in chunk)
        limited = [answer for answer in chunk if isinstance(answer.error, RateLimitedError)]
        answered = [answer for answer in chunk if answer.is_answered]
        unanswered += [answer for answer in chunk if answer not in limited and not answer.is_answered]
        outcomes = [_limited(answer, item, plan) for answer in limited for item in answer.items]
        charts += _store(context, run, plan, answered, outcomes)
    return unanswered


def _ask(context: JobContext, run: Run, provider: PriceProvider, gate: _Gate, items: Sequence[FetchItem]) -> _Answer:
    """The quotes of one group, or the error in their place."""
    run.check()
    now = context.clock.now()
    if gate.is_shut:
        return _Answer(items, now)
    context.progress.asked(items[0].symbol)
    began = time.monotonic()
    tries: list[datetime] = []
    quotes: Mapping[str, Quote] = {}
    error: ProviderError | None = None
    try:
        with watched(run.check):
            quotes = _fetch_quotes(provider, [item.symbol for item in items], now=now, tries=tries)
    except RateLimitedError as caught:
        error = caught
    except ProviderError as caught:
        error = caught
        gate.shut()
    return _Answer(items, now, quotes, error, len(tries), round((time.monotonic() - began) * 1000))


# Only a rate limit is waited for here: whatever else is wrong with quotes, a chart can do.
@retry_with_backoff(jitter=0.2, exceptions=(RateLimitedError,))
def _fetch_quotes(
    provider: PriceProvider, symbols: Sequence[str], *, now: datetime, tries: list[datetime]
) -> Mapping[str, Quote]:
    tries.append(now)
    return provider.fetch_quotes(symbols, now=now)


def _limited(answer: _Answer, item: FetchItem, plan: Plan) -> ItemOutcome:
    """A company that is not asked for otherwise, because fewer requests are wanted, not more."""
    return not_answered(
        Fetched(item, None, answer.error, answer.attempt_count, answer.duration_ms), plan.states[item.symbol]
    )


def _by_chart(plan: Plan, item: FetchItem, refused: Refused | None = None) -> FetchItem:
    """The company's last month instead, and why."""
    calendar = plan.sessions[item.mic]
    previous = calendar.before(item.last)
    doubted = [previous] if refused is not None and refused.doubts_previous and previous is not None else []
    reread = plan_reread(plan.states[item.symbol], calendar, doubted=doubted)
    assert reread is not None
    return replace(reread, note=f"by chart: {refused.why}" if refused is not None else None)


def _store(
    context: JobContext, run: Run, plan: Plan, answers: Sequence[_Answer], outcomes: list[ItemOutcome]
) -> list[FetchItem]:
    """Store what is taken of some answers, and how each company ended; return the items that need a chart."""
    stored = _load_around(context, plan, answers)
    taken: list[_Taken] = []
    charts: list[FetchItem] = []
    for answer in answers:
        for item in answer.items:
            decided = _decide(plan, item, answer, stored.get(item.company_id or 0, {}))
            if isinstance(decided, Refused):
                charts.append(_by_chart(plan, item, decided))
            else:
                taken.append(decided)
    outcomes = outcomes + [one.outcome for one in taken]
    run.items.extend(outcomes)
    now, wall = context.clock.now(), context.wall.now()
    if outcomes:
        context.database.write_unit(lambda connection: _write(connection, run, taken, outcomes, now=now, wall=wall))
    for outcome in outcomes:
        context.progress.ended(outcome)
    return charts


def _load_around(context: JobContext, plan: Plan, answers: Sequence[_Answer]) -> dict[int, dict[date, StoredBar]]:
    """What is stored of each company from the session before on; where the price stands still, some weeks more."""
    before: dict[int, date] = {}
    for answer in answers:
        for item in answer.items:
            previous = plan.sessions[item.mic].before(item.last)
            if item.company_id is not None and previous is not None:
                before[item.company_id] = previous
    with context.database.read() as connection:
        stored = prices.load_bars(connection, before)
        still = {
            company_id: before[company_id] - CONTEXT
            for answer in answers
            for item in answer.items
            if (company_id := item.company_id) is not None
            and (quote := answer.quotes.get(item.symbol)) is not None
            and (held := stored.get(company_id, {}).get(before[company_id])) is not None
            and same_price(held.bar.close, quote.price)
        }
        return stored | prices.load_bars(connection, still)


def _decide(plan: Plan, item: FetchItem, answer: _Answer, stored: dict[date, StoredBar]) -> _Taken | Refused:
    """What a company's quote says of its newest session, or why it says nothing; pure but for its arguments."""
    quote, day, calendar = answer.quotes.get(item.symbol), item.last, plan.sessions[item.mic]
    previous = stored.get(calendar.before(day) or day)
    told = ABSENT if quote is None else judge_quote(quote, _expected(plan, item, calendar, previous))
    if isinstance(told, Refused):
        return told
    assert quote is not None and previous is not None and item.company_id is not None
    bar = Bar(day, *told)
    checked = check_answer([bar], (), stored, _neighbourhood(calendar, previous.bar.close))
    if checked.findings:
        return Refused(checked.findings[0].sentence)
    held = stored.get(day)
    if held is not None and held.flag != INTRADAY and not _same_prices(held.bar, bar):
        return Refused("the quote differs from the bar that is stored")
    merged = merge_bars({} if held is None else {day: held}, checked.good, settled_to=None)
    return _Taken(item.company_id, merged, checked.flagged, quote, answer.at, _outcome(item, answer, merged))


def _expected(plan: Plan, item: FetchItem, calendar: SessionList, previous: StoredBar | None) -> Expected:
    facts = plan.companies[item.symbol]
    return Expected(
        currency=facts.currency,
        quote_unit=facts.quote_unit,
        close_at=calendar.close_at[item.last],
        next_open=calendar.next_open(item.last),
        previous=None if previous is None or previous.flag == INTRADAY else previous.bar,
    )


def _neighbourhood(calendar: SessionList, previous_close: int) -> Neighbourhood:
    newest = calendar.newest() or date.min
    young_from = calendar.young_from(YOUNG_SESSIONS)
    return Neighbourhood(calendar.closed_set, newest, young_from, {}, {}, previous_close)


def _same_prices(held: Bar, told: Bar) -> bool:
    return all(same_price(old, new) for old, new in zip(held[1:5], told[1:5], strict=True))


def _outcome(item: FetchItem, answer: _Answer, merged: MergedBars) -> ItemOutcome:
    return ItemOutcome(
        symbol=item.symbol,
        company_id=item.company_id,
        outcome=Outcome.STORED if merged.new or merged.changed else Outcome.UNCHANGED,
        expected_count=1,
        covered_count=1,
        stored_count=len(merged.new),
        changed_count=len(merged.changed),
        attempt_count=answer.attempt_count,
        duration_ms=answer.duration_ms,
    )


def _write(
    connection: Connection,
    run: Run,
    taken: Sequence[_Taken],
    outcomes: Sequence[ItemOutcome],
    *,
    now: datetime,
    wall: datetime,
) -> None:
    """Bars, companies and outcomes in one transaction; nothing once the run is no longer ours."""
    store_progress(connection, run, wall=wall)
    rows: list[tuple[Any, ...]] = []
    instants = {at: raw_instant(connection, at) for at in {one.at for one in taken}}
    for one in sorted(taken, key=lambda one: one.company_id):
        if one.merged.new:
            rows += prices.new_rows(
                one.company_id,
                one.merged.new,
                settled_to=None,
                provider=one.quote.provider,
                fetched_at=instants[one.at],
                flags=one.flags,
            )
        if one.merged.changed:
            prices.store_changes(
                connection, one.company_id, one.merged, settled_to=None, provider=one.quote.provider, at=one.at
            )
    prices.store_new(connection, rows)
    companies.store_updated(connection, [one.company_id for one in taken], now=now)
    job_log.store_items(connection, run.id, outcomes)
