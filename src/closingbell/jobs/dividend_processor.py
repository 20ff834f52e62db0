"""Dividends and splits: what should be booked, against what is; the difference is booked.

Level-triggered: any number of processes, in any order, after any downtime, leave the same books.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import structlog
from sqlalchemy.exc import DBAPIError

from closingbell.domain.market_zones import date_at, latest_date
from closingbell.domain.payments import Leg
from closingbell.domain.runs import ItemOutcome, Outcome, RunStatus, RunSummary
from closingbell.errors import AlreadyRunningError, BooksChangedError, RunStoppedError, UsageError
from closingbell.jobs.context import JobContext, current_context
from closingbell.jobs.dividend_books import load_facts, load_rulebook
from closingbell.jobs.dividend_deciding import Decision, decide
from closingbell.jobs.dividend_sweep import end_sweep, is_sweep_due
from closingbell.jobs.dividend_words import Moved, Preview, preview_of
from closingbell.jobs.dividend_writing import write_decisions
from closingbell.jobs.fan_out import fan_out
from closingbell.jobs.pay_dates import gather_action_news, settle_waiting
from closingbell.jobs.runner import Ending, Occasion, Run, carry_out
from closingbell.stores import books, companies, dividend_progress, job_log, orders
from closingbell.stores.dividend_progress import Waiting
from closingbell.stores.marks import claim_origin
from closingbell.stores.upsert import in_groups
from closingbell.utils.garbage import cycles_kept
from closingbell.utils.text import counted

DIVIDEND_PROCESSOR = "dividend_processor"
COMPANY_FAILED = "dividends.company_failed"
AFTER_PRICES_FAILED = "dividends.after_prices_failed"

# Companies whose facts are read together.
GROUP = 25
# Groups under way at a time on a database server.
AT_ONCE = 2
# How often a company is read again because somebody else booked for it meanwhile.
TRIES = 6
# So often may what was spun off spin off, in one run.
GENERATIONS = 5
NEWS_EVERY = timedelta(minutes=20)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DividendSelection:
    """What a person asks for: symbols (None: every company), and the day that the books are made for (None: today)."""

    symbols: tuple[str, ...] | None = None
    as_of: date | None = None


def process_dividends(
    context: JobContext | None = None,
    occasion: Occasion | None = None,
    selection: DividendSelection | None = None,
) -> RunSummary:
    """Book every entitlement that should be booked and is not, and take back what should not be."""
    context = context or current_context()
    chosen = selection or DividendSelection()
    _refuse_wrong_day(context, chosen.as_of)
    return carry_out(context, DIVIDEND_PROCESSOR, lambda run: _process(context, run, chosen), occasion)


def run_dividend_processor(
    context: JobContext, occasion: Occasion, *, symbols: Sequence[str] | None = None
) -> RunSummary:
    """The job as the scheduler and people run it; ``symbols`` narrows it."""
    return process_dividends(context, occasion, DividendSelection(tuple(symbols) if symbols else None))


def process_after_prices(context: JobContext) -> RunSummary | None:
    """The same once new closes and corporate actions are stored; no run at all where nothing waits.

    What goes wrong is this run's own, not the prices'.
    """
    try:
        settle_waiting(context)
        if not any(_groups(context, DividendSelection(), is_sweep=False)):
            return None
        return process_dividends(context, Occasion(trigger="prices"))
    except AlreadyRunningError:
        return None
    except RunStoppedError:
        raise
    except Exception as error:
        # The run's row holds the reason, and administrators are told.
        _log.error(AFTER_PRICES_FAILED, error=f"{type(error).__name__}: {error}")
        return None


def preview_dividends(context: JobContext, selection: DividendSelection) -> Preview:
    """What a run would book now; writes nothing."""
    claim_origin(context.database, context.settings.origin, clock=context.clock)
    _refuse_wrong_day(context, selection.as_of)
    decisions: list[Decision] = []
    suggested = 0
    for group in _groups(context, selection, is_sweep=False):
        for decision, suggestions in _decide(context, group, selection):
            suggested += suggestions
            if decision.changes:
                decisions.append(decision)
    return preview_of(decisions, suggestion_count=suggested)


def _refuse_wrong_day(context: JobContext, as_of: date | None) -> None:
    """A day that is still to come, or on which the books are closed, is no day to make them for."""
    if as_of is None:
        return
    if as_of > date_at("XNYS", context.clock.now()):
        raise UsageError(f"{as_of}: is not over yet; nothing is paid before its day")
    with context.database.read() as connection:
        locked = books.load_book_settings(connection).lock_date
    if locked is not None and as_of <= locked:
        raise UsageError(
            f"{as_of}: the books are closed up to {locked}, nothing more can count up to that day; name a later one, "
            f"or leave --as-of out: then what is due counts today"
        )


def _process(context: JobContext, run: Run, selection: DividendSelection) -> Ending:
    now = context.clock.now()
    if selection == DividendSelection():
        _gather_news(context, run, now)
    orders.post_missing(context.database, now=now)
    is_sweep = selection == DividendSelection() and is_sweep_due(context, now)
    tally = _Tally()
    groups = _groups(context, selection, is_sweep=is_sweep)
    for _ in range(GENERATIONS):
        touched = _carry_out_groups(context, run, groups, selection, tally)
        if not touched:
            break
        # Shares that a spin-off brought are paid what their company paid since.
        groups = _groups(context, selection, company_ids=touched)
    if is_sweep:
        # Only now: a group may end before the one whose spin-off touched it.
        unexpected = [symbol for company_id, symbol in tally.unmarked.items() if company_id not in tally.touched]
        end_sweep(context, run.id, unexpected, now)
    failed = run.failed_count
    money = tally.moved.in_words()
    message = f"{counted(tally.booked, 'payment')} booked, {tally.reversed} taken back" + (
        f": {money}" if money else ""
    )
    if failed:
        message += f"; {counted(failed, 'company', 'companies')} failed"
    if not failed:
        return Ending(RunStatus.SUCCESS, message)
    return Ending(RunStatus.PARTIAL if failed < tally.looked_at else RunStatus.FAILED, message)


@dataclass(slots=True)
class _Tally:
    """What a run did so far; ``unmarked`` are companies that changed although no mark said that they would."""

    looked_at: int = 0
    booked: int = 0
    reversed: int = 0
    stored: int = 0
    moved: Moved = field(default_factory=Moved)
    unmarked: dict[int, str] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Done:
    """What was written for one company: payments booked and taken back, cash moved, companies whose shares did."""

    waiting: Waiting
    booked: int
    reversed: int
    moved: Moved
    touched: set[int]
    has_changes: bool


def _summed(decision: Decision) -> _Done:
    moved = Moved()
    booked = reversed_ = 0
    for _, changes in decision.changes:
        moved.add(changes)
        booked += sum([leg.leg is Leg.PAYMENT for leg in changes.bookings])
        reversed_ += sum([one.booked.leg is Leg.PAYMENT for one in changes.reversals])
    return _Done(decision.waiting, booked, reversed_, moved, decision.touched, bool(decision.changes))


def _carry_out_groups(
    context: JobContext,
    run: Run,
    groups: Iterable[Sequence[Waiting]],
    selection: DividendSelection,
    tally: _Tally,
) -> set[int]:
    """Decide and write, group by group; the companies of which spin-offs moved shares, to be looked at again."""
    now = context.clock.now()
    touched: set[int] = set()
    for group, done in _carried_out(context, run, groups, selection):
        tally.looked_at += len(group)
        marked = {waiting.company_id for waiting in group if waiting.is_marked or waiting.is_due(now)}
        for one in done:
            tally.booked += one.booked
            tally.reversed += one.reversed
            tally.moved.include(one.moved)
            touched |= one.touched
            tally.touched |= one.touched
            if one.has_changes and one.waiting.company_id not in marked:
                tally.unmarked[one.waiting.company_id] = one.waiting.symbol
        tally.stored = _store_items(context, run, tally.stored)
    return touched


def _store_items(context: JobContext, run: Run, stored: int) -> int:
    """Write down how companies ended since the ``stored`` first ones; how many there are now."""
    items = run.items[stored:]
    if items:
        context.database.write_unit(lambda connection: job_log.store_items(connection, run.id, items))
    return len(run.items)


def _gather_news(context: JobContext, run: Run, now: datetime) -> None:
    """Ask for pay dates, unless a run did so shortly before: finding out whose are wanted takes long."""
    with context.database.read() as connection:
        last = dividend_progress.load_last(connection, dividend_progress.NEWS)
    if last is not None and timedelta(0) <= now - last < NEWS_EVERY:
        settle_waiting(context)
        return
    gather_action_news(context, check=run.check)
    context.database.write_unit(lambda c: dividend_progress.store_last(c, dividend_progress.NEWS, now=now))


def _groups(
    context: JobContext,
    selection: DividendSelection,
    *,
    is_sweep: bool = False,
    company_ids: Collection[int] | None = None,
) -> Iterator[Sequence[Waiting]]:
    """Companies to look at, some at a time; ``company_ids`` beats the selection's symbols."""
    latest = latest_date(context.clock.now())
    with context.database.read() as connection:
        ids = None if company_ids is None else sorted(company_ids)
        if ids is None and selection.symbols is not None:
            ids = companies.require_known(connection, selection.symbols)
        is_all = is_sweep or selection.as_of is not None
        found = dividend_progress.load_waiting(connection, latest=latest, company_ids=ids, is_sweep=is_all)
    yield from in_groups(list(found.values()), GROUP)


def _decide(
    context: JobContext, group: Sequence[Waiting], selection: DividendSelection
) -> Iterator[tuple[Decision, int]]:
    with context.database.read() as connection:
        rulebook = load_rulebook(connection, lag=context.settings.dividend_pay_lag_days)
        facts = load_facts(connection, group, rulebook, now=context.clock.now(), as_of=selection.as_of)
    for one in facts:
        decision = decide(one)
        yield decision, decision.suggestion_count


def _carried_out(
    context: JobContext, run: Run, groups: Iterable[Sequence[Waiting]], selection: DividendSelection
) -> Iterator[tuple[Sequence[Waiting], list[_Done]]]:
    """Groups and what was booked for each, on a server some under way at a time: one is decided, others are written.

    No two groups share a company, so that none waits for another's turn. SQLite has one writer, which works in this
    process: two threads were no faster there.
    """

    def carry_out(group: Sequence[Waiting]) -> tuple[Sequence[Waiting], list[_Done]]:
        run.check()
        # A group's decisions are some hundred thousand objects: all are gone again before anybody looks for cycles.
        with cycles_kept():
            return group, _carry_out_group(context, run, group, selection)

    if context.database.dialect == "sqlite":
        return map(carry_out, groups)
    return fan_out(carry_out, groups, concurrency=AT_ONCE)


def _carry_out_group(
    context: JobContext, run: Run, group: Sequence[Waiting], selection: DividendSelection
) -> list[_Done]:
    """Write some companies' decisions together; one by one where that cannot be, and a bad one alone fails."""
    try:
        return _write_all(context, run, [one for one, _ in _decide(context, group, selection)], selection)
    except RunStoppedError:
        raise
    except BooksChangedError:
        pass
    except Exception as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
    done: list[_Done] = []
    for waiting in group:
        done += _carry_out_one(context, run, waiting, selection)
    return done


def _carry_out_one(context: JobContext, run: Run, waiting: Waiting, selection: DividendSelection) -> list[_Done]:
    for left in reversed(range(TRIES)):
        try:
            again = _read_again(context, waiting)
            return _write_all(context, run, [one for one, _ in _decide(context, [again], selection)], selection)
        except RunStoppedError:
            raise
        except BooksChangedError as error:
            if not left:
                _fail(run, waiting, "busy", str(error))
        except Exception as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise
            _log.error(COMPANY_FAILED, symbol=waiting.symbol, error=f"{type(error).__name__}: {error}", exc_info=True)
            _fail(run, waiting, type(error).__name__, f"{type(error).__name__}: {error}")
            return []
    return []


def _read_again(context: JobContext, waiting: Waiting) -> Waiting:
    with context.database.read() as connection:
        found = dividend_progress.load_waiting(
            connection, latest=date.max, company_ids=[waiting.company_id], is_sweep=waiting.is_all
        )
    return replace(found[waiting.company_id], since=waiting.since or found[waiting.company_id].since)


def _fail(run: Run, waiting: Waiting, kind: str, message: str) -> None:
    run.items.append(
        ItemOutcome(
            waiting.symbol, waiting.company_id, Outcome.FAILED, 1, 0, error_kind=kind[:24], message=message[:500]
        )
    )


def _write_all(context: JobContext, run: Run, decisions: list[Decision], selection: DividendSelection) -> list[_Done]:
    write_decisions(context, run, decisions, finishes=selection.as_of is None)
    for decision in decisions:
        count = sum(len(changes.bookings) + len(changes.reversals) for _, changes in decision.changes)
        if count:
            waiting = decision.waiting
            run.items.append(
                ItemOutcome(waiting.symbol, waiting.company_id, Outcome.STORED, count, count, stored_count=count)
            )
    return [_summed(decision) for decision in decisions]
