"""One chunk of answers: compared, checked, stored in one transaction, and how each company ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection

from closingbell.domain.runs import ItemOutcome
from closingbell.jobs.action_storing import store_told
from closingbell.jobs.context import JobContext
from closingbell.jobs.price_planning import Plan
from closingbell.jobs.price_settling import CONTEXT, Fetched, Known, Settling, not_answered, settle, wrong_currency
from closingbell.jobs.runner import Run, store_progress
from closingbell.providers.base import DailyHistory
from closingbell.stores import actions, companies, job_log, prices, quarantine
from closingbell.stores.bulk import raw_instant


@dataclass(slots=True)
class _Batch:
    """Everything that one transaction writes."""

    settlings: list[Settling] = field(default_factory=list)
    outcomes: list[ItemOutcome] = field(default_factory=list)


def store_planned(context: JobContext, run: Run, count: int) -> None:
    """Write down how many companies the run will ask for."""
    wall = context.wall.now()
    context.database.write_unit(
        lambda connection: job_log.store_progress(
            connection, run.id, run.owner, processed=0, failed=0, wall=wall, planned=count
        )
    )


def store_chunk(context: JobContext, run: Run, plan: Plan, chunk: Sequence[Fetched]) -> list[ItemOutcome]:
    """Store a chunk of answers; return how each company ended. Safe to repeat: what is stored already is unchanged."""
    now = context.clock.now()
    ids = _company_ids(context, plan, chunk, now)
    known = _load_known(context, ids, chunk)
    ordered_in = _load_ordered_in(context, plan, ids)
    batch = _Batch()
    for fetched in chunk:
        state = plan.states[fetched.item.symbol]
        calendar = plan.sessions[fetched.item.mic]
        if fetched.history is None:
            batch.outcomes.append(not_answered(fetched, state))
        elif (wrong := wrong_currency(fetched, plan, ordered_in)) is not None:
            batch.outcomes.append(wrong)
        else:
            settling = settle(fetched, fetched.history, ids[fetched.item.symbol], state, calendar, known, now)
            batch.settlings.append(settling)
            batch.outcomes.append(settling.outcome)
    run.items.extend(batch.outcomes)
    wall = context.wall.now()
    context.database.write_unit(lambda connection: _write(connection, run, batch, now=now, wall=wall))
    return batch.outcomes


def _company_ids(context: JobContext, plan: Plan, chunk: Sequence[Fetched], now: datetime) -> dict[str, int]:
    """The id of every company that answered; one that was not known here is made now."""
    ids = {fetched.item.symbol: fetched.item.company_id for fetched in chunk if fetched.history is not None}
    new = [symbol for symbol, company_id in ids.items() if company_id is None]
    if new:
        pairs = [(symbol, plan.states[symbol].mic) for symbol in new]
        context.database.write_unit(lambda connection: companies.store_new(connection, pairs, now=now))
        with context.database.read() as connection:
            ids.update({symbol: facts.id for symbol, facts in companies.load_by_symbol(connection, new).items()})
    return {symbol: company_id for symbol, company_id in ids.items() if company_id is not None}


def _load_known(context: JobContext, ids: dict[str, int], chunk: Sequence[Fetched]) -> Known:
    firsts = {ids[f.item.symbol]: f.item.first for f in chunk if f.history is not None}
    # Neighbours tell a wrong price from a right one, so some weeks before the answer are read too.
    context_from = {company_id: first - CONTEXT for company_id, first in firsts.items()}
    with context.database.read() as connection:
        return Known(
            prices.load_bars(connection, context_from),
            prices.load_previous_closes(connection, firsts),
            quarantine.load_open(connection, list(firsts)),
            actions.load_price_splits(connection, list(firsts)),
        )


def _load_ordered_in(context: JobContext, plan: Plan, ids: dict[str, int]) -> dict[str, set[str]]:
    """The currencies in which companies whose own is not known yet were ordered, by symbol."""
    known = {symbol for symbol, facts in plan.companies.items() if facts.currency is not None}
    new = {company_id: symbol for symbol, company_id in ids.items() if symbol not in known}
    if not new:
        return {}
    with context.database.read() as connection:
        found = companies.load_ordered_in(connection, list(new))
    return {new[company_id]: currencies for company_id, currencies in found.items()}


def _write(connection: Connection, run: Run, batch: _Batch, *, now: datetime, wall: datetime) -> None:
    """Everything that follows from a chunk, in one transaction; nothing once the run is no longer ours."""
    store_progress(connection, run, wall=wall)
    rows: list[tuple[Any, ...]] = []
    confirmed: dict[date, list[int]] = {}
    for settling in sorted(batch.settlings, key=lambda settling: settling.company_id):
        _write_company(connection, settling, rows, now)
        for day in settling.merged.confirmed:
            confirmed.setdefault(day, []).append(settling.company_id)
    prices.store_new(connection, rows)
    prices.store_settled(connection, confirmed)
    _write_ranges(connection, batch.settlings, now)
    job_log.store_items(connection, run.id, batch.outcomes)


def _write_company(connection: Connection, settling: Settling, rows: list[tuple[Any, ...]], now: datetime) -> None:
    """Changed and doubtful bars of one company; its new bars are collected in ``rows``."""
    history, company_id = settling.history, settling.company_id
    rows += prices.new_rows(
        company_id,
        settling.merged.new,
        settled_to=settling.settled_to,
        provider=history.provider,
        fetched_at=raw_instant(connection, history.fetched_at),
        flags=settling.checked.flagged,
    )
    if settling.merged.changed:
        prices.store_changes(
            connection,
            company_id,
            settling.merged,
            settled_to=settling.settled_to,
            provider=history.provider,
            at=history.fetched_at,
        )
    if settling.released:
        quarantine.release(connection, company_id, settling.released, at=now)
    if settling.checked.findings:
        quarantine.store_findings(
            connection,
            company_id,
            settling.checked.findings,
            previous_close=settling.previous_close,
            provider=history.provider,
            at=now,
        )


def _write_ranges(connection: Connection, settlings: Sequence[Settling], now: datetime) -> None:
    """What is complete, what is missing, what the companies are, and what they did."""
    ranges = {s.company_id: s.coverage for s in settlings if s.coverage is not None}
    prices.store_coverage(connection, ranges)
    prices.store_gaps(connection, [row for s in settlings for row in _gap_rows(s, now)])
    prices.remove_filled_gaps(connection, [(s.company_id, day) for s in settlings for day in s.filled_gaps])
    companies.store_actions_read(connection, [s.company_id for s in settlings if s.tells_all], now=now)
    companies.store_listings(connection, {s.company_id: _listing(s.history) for s in settlings}, now=now)
    store_told(connection, [s.told for s in settlings], at=now)


def _gap_rows(settling: Settling, now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "company_id": settling.company_id,
            "date": day,
            "reason": reason,
            "asked_count": count,
            "last_asked_at": now,
            "next_ask_at": again,
        }
        for day, (reason, count, again) in settling.gaps.items()
    ]


def _listing(history: DailyHistory) -> companies.Listing:
    return companies.Listing(
        history.currency, history.quote_unit, history.name, history.exchange_name, history.first_trade_date
    )
