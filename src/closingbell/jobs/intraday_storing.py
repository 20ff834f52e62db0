"""One group of intraday answers: checked, stored in one transaction, and how each company ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction

from sqlalchemy import Connection

from closingbell.domain.bars import INTRADAY, Bar, Finding, Neighbourhood, StoredBar, check_bars
from closingbell.domain.intraday import (
    QUIET_START,
    Minute,
    MinuteLike,
    bar_of_minutes,
    bar_of_quote,
    changed_minutes,
    is_official,
    merge_day,
    minutes_of,
)
from closingbell.domain.runs import ItemOutcome, Outcome
from closingbell.errors import ProviderError
from closingbell.jobs.context import JobContext
from closingbell.jobs.intraday_planning import IntradayItem
from closingbell.jobs.price_settling import WRONG_CURRENCY
from closingbell.jobs.runner import Run, store_progress
from closingbell.providers.base import MinuteHistory, Quote
from closingbell.stores import actions, companies, job_log, minutes, prices, quarantine
from closingbell.stores.bulk import raw_instant


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one question: minutes, a quote, or an error; ``note`` says why a quote had to do."""

    item: IntradayItem
    answer: MinuteHistory | Quote | None = None
    error: ProviderError | None = None
    note: str | None = None
    attempt_count: int = 0
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class _Known:
    """What the database holds around the answers."""

    bars: Mapping[int, Mapping[date, StoredBar]]
    minutes: Mapping[int, Mapping[datetime, Minute]]
    splits: Mapping[int, Mapping[date, Fraction]]
    doubtful: Mapping[int, Mapping[tuple[date, str], Bar]]


@dataclass(frozen=True, slots=True)
class _Decision:
    """One company's answer, decided: what to write and how it ended."""

    told: Told
    outcome: ItemOutcome
    minutes: Sequence[MinuteLike] = ()
    held: StoredBar | None = None
    row: Bar | None = None
    finding: Finding | None = None
    previous_close: int | None = None
    is_released: bool = False


def store_answers(context: JobContext, run: Run, answers: Sequence[Told]) -> list[ItemOutcome]:
    """Store a group of answers; return how each company ended. Safe to repeat: what is stored is not stored twice."""
    now = context.clock.now()
    known = _load_known(context, [told.item for told in answers if told.answer is not None])
    decisions = [_decide(told, known, now) for told in answers]
    run.items.extend(decision.outcome for decision in decisions)
    wall = context.wall.now()
    context.database.write_unit(lambda connection: _write(connection, run, decisions, now=now, wall=wall))
    return [decision.outcome for decision in decisions]


def _load_known(context: JobContext, items: Sequence[IntradayItem]) -> _Known:
    ids = [item.company.id for item in items]
    first = min((item.session.open_at for item in items), default=context.clock.now())
    with context.database.read() as connection:
        return _Known(
            prices.load_bars(connection, {item.company.id: item.bars_from for item in items}),
            minutes.load_minutes(connection, ids, first=first),
            actions.load_price_splits(connection, ids),
            quarantine.load_open(connection, ids),
        )


def _decide(told: Told, known: _Known, now: datetime) -> _Decision:
    """Decide all that follows from one answer; pure but for its arguments."""
    item, answer = told.item, told.answer
    if answer is None:
        assert told.error is not None
        return _Decision(told, _ended(told, Outcome.FAILED, error_kind=told.error.kind, message=str(told.error)))
    if item.company.currency not in {None, answer.currency}:
        message = (
            f"answered in {answer.currency}, but prices of {item.symbol} are in {item.company.currency}; not stored"
        )
        return _Decision(told, _ended(told, Outcome.QUARANTINED, error_kind=WRONG_CURRENCY, message=message))
    stored = known.minutes.get(item.company.id, {})
    of_today = _minutes_of_today(item, answer, stored)
    day = bar_of_quote(item.session, answer) if isinstance(answer, Quote) else _bar_of(item, of_today)
    held = known.bars.get(item.company.id, {}).get(item.session.date)
    if day is None:
        return _without_day(told, held, _new_minutes(answer, stored), now)
    previous_close = _previous_close(item, known)
    finding = _first_finding(of_today, day, known.splits.get(item.company.id, {}), previous_close)
    if finding is not None:
        # The minutes stay out with it, so that the same ones are asked for and judged again.
        outcome = _ended(told, Outcome.QUARANTINED, error_kind=finding.rule, message=finding.sentence, quarantined=1)
        return _Decision(told, outcome, finding=finding, previous_close=previous_close)
    return _with_day(told, day, held, known, _new_minutes(answer, stored))


def _new_minutes(answer: MinuteHistory | Quote, stored: Mapping[datetime, Minute]) -> list[MinuteLike]:
    return changed_minutes(stored, answer.bars) if isinstance(answer, MinuteHistory) else []


def _minutes_of_today(
    item: IntradayItem, answer: MinuteHistory | Quote, stored: Mapping[datetime, Minute]
) -> list[MinuteLike]:
    """The minutes of the session as they are after this answer; a quote has none."""
    if isinstance(answer, Quote):
        return []
    everything: dict[datetime, MinuteLike] = {**stored, **{minute.at: minute for minute in answer.bars}}
    return minutes_of(everything.values(), item.session)


def _bar_of(item: IntradayItem, of_today: Sequence[MinuteLike]) -> Bar | None:
    return bar_of_minutes(item.session.date, of_today) if of_today else None


def _previous_close(item: IntradayItem, known: _Known) -> int | None:
    """The newest close before today's session, if it is of one of the sessions just before."""
    before = [on for on in known.bars.get(item.company.id, {}) if on < item.session.date]
    return known.bars[item.company.id][max(before)].bar.close if before else None


def _without_day(told: Told, held: StoredBar | None, changed: Sequence[MinuteLike], now: datetime) -> _Decision:
    """Nothing was told of today: soon after the open nothing is missing yet."""
    if held is not None:
        return _Decision(told, _ended(told, Outcome.UNCHANGED, covered=1), changed)
    message = f"no price of {told.item.session.date} was told yet"
    if now < told.item.session.open_at + QUIET_START:
        return _Decision(told, _ended(told, Outcome.UNCHANGED, expected=0, message=message), changed)
    return _Decision(told, _ended(told, Outcome.MISSING, error_kind="missing", message=message), changed)


def _with_day(told: Told, day: Bar, held: StoredBar | None, known: _Known, changed: Sequence[MinuteLike]) -> _Decision:
    company_id, session = told.item.company.id, told.item.session
    row = merge_day(held, day, session)
    message = told.note
    if held is not None and is_official(held, session):
        message = "the session's own bar is stored already"
    outcome = _ended(
        told,
        Outcome.STORED if row or changed else Outcome.UNCHANGED,
        covered=1,
        stored=int(row is not None and held is None),
        changed=int(row is not None and held is not None),
        message=message,
    )
    is_released = any(on == session.date for on, _ in known.doubtful.get(company_id, {}))
    return _Decision(told, outcome, changed, held, row, is_released=is_released)


def _first_finding(
    of_today: Sequence[MinuteLike], day: Bar, splits: Mapping[date, Fraction], previous_close: int | None
) -> Finding | None:
    """What is wrong with a minute or with the day so far, by the rules of every daily bar.

    Each minute is looked at, because the day's bar hides a broken one; each is judged by the one before it.
    """
    bars = [Bar(day.date, m.open, m.high, m.low, m.close, m.volume) for m in of_today]
    opening, later = bars[:1], bars[1:]
    findings = [
        *_check(opening, splits, previous_close),
        *(_check(later, {}, opening[0].close) if opening else ()),
        *_check([day], splits, previous_close),
    ]
    return findings[0] if findings else None


def _check(bars: Sequence[Bar], splits: Mapping[date, Fraction], previous_close: int | None) -> list[Finding]:
    """Findings in bars of today; a jump stays in doubt here, the evening's answer may repeat it."""
    days = {bar.date for bar in bars}
    around = Neighbourhood(
        sessions=days,
        newest=max(days, default=date.min),
        young_from=date.min,
        splits=dict(splits),
        suspects={},
        previous_close=previous_close,
    )
    return check_bars(bars, around).findings


def _ended(
    told: Told,
    outcome: Outcome,
    *,
    expected: int = 1,
    covered: int = 0,
    stored: int = 0,
    changed: int = 0,
    quarantined: int = 0,
    error_kind: str | None = None,
    message: str | None = None,
) -> ItemOutcome:
    return ItemOutcome(
        symbol=told.item.symbol,
        company_id=told.item.company.id,
        outcome=outcome,
        expected_count=expected,
        covered_count=covered,
        stored_count=stored,
        changed_count=changed,
        quarantined_count=quarantined,
        error_kind=error_kind,
        message=message,
        attempt_count=told.attempt_count,
        duration_ms=told.duration_ms,
    )


def _write(connection: Connection, run: Run, decisions: Sequence[_Decision], *, now: datetime, wall: datetime) -> None:
    """Everything that follows from a group, in one transaction; nothing once the run is no longer ours."""
    store_progress(connection, run, wall=wall)
    listings = {}
    # In one order everywhere: two processes that write the same rows wait for each other, and never both.
    for decision in sorted(decisions, key=lambda decision: decision.told.item.company.id):
        answer = decision.told.answer
        if answer is None:
            continue
        _write_company(connection, decision, answer, now=now)
        if decision.row is not None:
            listings[decision.told.item.company.id] = companies.Listing(answer.currency, answer.quote_unit)
    companies.store_listings(connection, listings, now=now)
    job_log.store_items(connection, run.id, [decision.outcome for decision in decisions])


def _write_company(
    connection: Connection, decision: _Decision, answer: MinuteHistory | Quote, *, now: datetime
) -> None:
    company_id, provider = decision.told.item.company.id, answer.provider
    minutes.store_minutes(connection, company_id, decision.minutes, provider=provider, fetched_at=now)
    if decision.row is not None:
        _write_row(connection, company_id, decision.held, decision.row, provider=provider, now=now)
    if decision.is_released:
        quarantine.release(connection, company_id, [decision.told.item.session.date], at=now)
    if decision.finding is not None:
        before = decision.previous_close
        quarantine.store_findings(
            connection,
            company_id,
            [decision.finding],
            previous_close=before,
            provider=provider,
            at=now,
            is_intraday=True,
        )


def _write_row(
    connection: Connection, company_id: int, held: StoredBar | None, row: Bar, *, provider: str, now: datetime
) -> None:
    """Today's row, new or rewritten. Its changes are no revisions: until the close it is expected to move."""
    if held is not None:
        prices.store_intraday(connection, company_id, held, row, provider=provider, at=now)
        return
    at = raw_instant(connection, now)
    flags = {row.date: INTRADAY}
    rows = prices.new_rows(company_id, [row], settled_to=None, provider=provider, fetched_at=at, flags=flags)
    prices.store_new(connection, rows)
