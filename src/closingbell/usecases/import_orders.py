"""Bringing one's own orders in: all of a file or nothing, and the same file twice adds nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from closingbell import calendars
from closingbell.domain.planning import SessionList
from closingbell.errors import ImportRefusedError, UsageError
from closingbell.jobs.context import JobContext
from closingbell.jobs.market_time import load_session_list
from closingbell.stores import companies, marks, orders
from closingbell.usecases.imports.orders_csv import OrderLine, read_orders
from closingbell.utils.text import listed


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did, or would do: orders added and already there, companies and account that are new."""

    account: str
    is_new_account: bool
    added_count: int
    known_count: int
    new_symbols: tuple[str, ...]
    remarks: tuple[str, ...]


def import_orders(context: JobContext, text: str, *, account: str, dry_run: bool = False) -> ImportResult:
    """Store the orders of a CSV in an account; raise ImportRefusedError with every bad line when there is one.

    An account or company that is not there yet is made. An order without ``executed_at`` counts as executed at the
    close of its session, or of the next one where there was none that day.
    """
    name = account.strip()
    if not name or len(name) > 100:
        raise UsageError("--account must be a name of 1 to 100 letters")
    now = context.clock.now()
    marks.claim_origin(context.database, context.settings.origin, clock=context.clock)
    file = read_orders(text, today=now.date())
    reasons = list(file.reasons)
    mics = _mics(file.orders, reasons)
    if reasons:
        raise ImportRefusedError(f"nothing was imported: {len(reasons)} bad line(s)", reasons)
    calendar_of = _calendars(context, file.orders, mics, now)
    remarks = _closed_day_remarks(file.orders, mics, calendar_of)
    rows = [
        orders.NewOrder(
            type=line.type,
            symbol=line.symbol,
            trade_date=line.trade_date,
            executed_at=line.executed_at or _close_of(line, mics, calendar_of),
            quantity=line.quantity,
            price=line.price,
            amount=line.amount,
            fee=line.fee,
            currency=line.currency,
            source="csv",
            source_key=line.source_key,
        )
        for line in file.orders
    ]
    return _store(context, name, rows, mics, tuple(remarks), now, dry_run=dry_run)


def _store(
    context: JobContext,
    account: str,
    rows: list[orders.NewOrder],
    mics: dict[str, str],
    remarks: tuple[str, ...],
    now: datetime,
    *,
    dry_run: bool,
) -> ImportResult:
    with context.database.read() as connection:
        account_id = orders.find_account(connection, account)
        known_keys = orders.load_source_keys(connection, account_id) if account_id is not None else set()
        new_symbols = sorted(set(mics) - set(companies.load_by_symbol(connection, sorted(mics))))
    fresh = [row for row in rows if row.source_key not in known_keys]
    if not dry_run:
        context.database.write_unit(
            lambda connection: orders.store_orders(
                connection, account, fresh, symbols=[(symbol, mics[symbol]) for symbol in new_symbols], now=now
            )
        )
    return ImportResult(account, account_id is None, len(fresh), len(rows) - len(fresh), tuple(new_symbols), remarks)


def _mics(lines: list[OrderLine], reasons: list[str]) -> dict[str, str]:
    """The MIC of every symbol; a symbol of an unknown exchange makes its line bad."""
    mics: dict[str, str] = {}
    for line in lines:
        if line.symbol is None or line.symbol in mics:
            continue
        try:
            mics[line.symbol] = calendars.mic_of(line.symbol)
        except UsageError as error:
            reasons.append(f"line {line.line}: {error}")
    return mics


def _calendars(
    context: JobContext, lines: list[OrderLine], mics: dict[str, str], now: datetime
) -> dict[str, SessionList]:
    """The sessions of every exchange of the file from its first order on."""
    result: dict[str, SessionList] = {}
    for mic in sorted(set(mics.values())):
        first = min(line.trade_date for line in lines if line.symbol and mics[line.symbol] == mic)
        result[mic] = load_session_list(context, mic, first, now=now)
    return result


def _close_of(line: OrderLine, mics: dict[str, str], calendar_of: dict[str, SessionList]) -> datetime:
    """The close of the order's session, or of the next; midnight UTC after the day for cash and for today."""
    if line.symbol is not None:
        close = calendar_of[mics[line.symbol]].close_on_or_after(line.trade_date)
        if close is not None:
            return close
    return datetime.combine(line.trade_date + timedelta(days=1), time.min, tzinfo=UTC)


def _closed_day_remarks(lines: list[OrderLine], mics: dict[str, str], calendar_of: dict[str, SessionList]) -> list[str]:
    """Trades dated on a day without a session: kept, but worth a look."""
    closed = []
    for line in lines:
        if line.symbol is not None and not calendar_of[mics[line.symbol]].has(line.trade_date):
            closed.append(f"line {line.line} ({line.trade_date}: {mics[line.symbol]} was closed)")
    if not closed:
        return []
    return [f"dated on a day without a session, counted at the next close: {listed(closed)}"]
