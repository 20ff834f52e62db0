"""Prices that a person sets by hand, and gives back to the providers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Connection

from closingbell.domain.bars import MANUAL, RULES, Bar, Neighbourhood, StoredBar, check_bars
from closingbell.domain.money import PRICE_SCALE, plain, price_to_decimal, to_scaled
from closingbell.domain.planning import SessionList
from closingbell.errors import UnknownSymbolError, UsageError
from closingbell.jobs.context import JobContext
from closingbell.jobs.market_time import load_session_list
from closingbell.stores import actions, companies, decisions, manual_prices, prices, quarantine, sessions
from closingbell.stores.companies import CompanyFacts
from closingbell.stores.marks import claim_origin
from closingbell.usecases.audited import write_down
from closingbell.usecases.reasons import By, checked_name, checked_reason

JUMP = "jump"


@dataclass(frozen=True, slots=True)
class TypedPrice:
    """What a person types: the close, and as much of the rest as is known, in the major currency unit."""

    close: Decimal
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    volume: int | None = None


@dataclass(frozen=True, slots=True)
class ManualPrice:
    """What stands of a session now, and what stood before; None is no bar."""

    company: CompanyFacts
    date: date
    now: Bar | None
    before: StoredBar | None


def set_price(
    context: JobContext, symbol: str, day: date, typed: TypedPrice, *, by: By, why: str, force: bool = False
) -> ManualPrice:
    """Store a bar by hand: settled, never changed by a provider; raise UsageError with the way out where it cannot be.

    What is not told of open, high and low is the narrowest that fits; a volume that is not told stays as it is.
    ``force`` stores a close that jumps all the same.
    """
    who, reason = checked_name(by), checked_reason(why)
    company = _find(context, symbol)
    now = context.clock.now()
    if day > now.date():
        raise UsageError(f"{day} is still to come; set a price after the close")
    calendar = load_session_list(context, company.mic, day, now=now)
    _require_closed_session(context, company, day, calendar)

    def unit(connection: Connection) -> ManualPrice:
        held = manual_prices.load_bar(connection, company.id, day)
        bar = _bar(day, typed, held)
        _check(connection, company, bar, calendar, force=force)
        if not manual_prices.store_manual(connection, company.id, held, bar, at=now):
            raise UsageError(f"{company.symbol} on {day} was changed by somebody else just now; look again")
        prices.remove_filled_gaps(connection, [(company.id, day)])
        quarantine.release(connection, company.id, [day], at=now, note=f"a price was set by hand by {who}: {reason}")
        told = _note(connection, company, decisions.PRICE_SET, bar, by=who, why=reason, now=now)
        write_down(context, connection, by, "set price", f"{company.symbol} {day}", f"{told}: {reason}")
        return ManualPrice(company, day, bar, held)

    return context.database.write_unit(unit)


def unset_price(context: JobContext, symbol: str, day: date, *, by: By, why: str) -> ManualPrice:
    """Give a session back to the providers: what stood before stands again, provisional, until the next run asks."""
    who, reason = checked_name(by), checked_reason(why)
    company = _find(context, symbol)
    now = context.clock.now()

    def unit(connection: Connection) -> ManualPrice:
        held = manual_prices.load_bar(connection, company.id, day)
        if held is None or held.provider != MANUAL:
            raise UsageError(f"{day}: no price of {company.symbol} was set by hand; closingbell decisions shows them")
        before = manual_prices.store_given_back(connection, company.id, held)
        told = _note(connection, company, decisions.PRICE_UNSET, held.bar, by=who, why=reason, now=now)
        write_down(context, connection, by, "unset price", f"{company.symbol} {day}", f"{told}: {reason}")
        return ManualPrice(company, day, before.bar if before else None, held)

    return context.database.write_unit(unit)


def _find(context: JobContext, symbol: str) -> CompanyFacts:
    claim_origin(context.database, context.settings.origin, clock=context.clock)
    with context.database.read() as connection:
        found = companies.load_by_symbol(connection, [symbol]).get(symbol)
    if found is None:
        raise UnknownSymbolError(
            f"no company of that symbol is known here: {symbol}; import an order of it, or run: "
            f"closingbell watch {symbol}"
        )
    return found


def _require_closed_session(context: JobContext, company: CompanyFacts, day: date, calendar: SessionList) -> None:
    if day in calendar.closed_set:
        return
    if day in calendar.open_set:
        raise UsageError(f"{day}: {company.mic} has not closed yet; set a price after the close")
    with context.database.read() as connection:
        by_hand = sessions.is_open(connection, company.mic, day) is False
    way_out = f"; it was closed here, to open it: closingbell closures remove {company.mic} {day}" if by_hand else ""
    raise UsageError(f"{day}: {company.mic} has no session on this date{way_out}")


def _bar(day: date, typed: TypedPrice, held: StoredBar | None) -> Bar:
    close = to_scaled(typed.close, PRICE_SCALE)
    told = [None if price is None else to_scaled(price, PRICE_SCALE) for price in (typed.open, typed.high, typed.low)]
    opened = close if told[0] is None else told[0]
    high = max(opened, close) if told[1] is None else told[1]
    low = min(opened, close) if told[2] is None else told[2]
    volume = typed.volume if typed.volume is not None else held.bar.volume if held is not None else 0
    return Bar(day, opened, high, low, close, volume)


def _check(connection: Connection, company: CompanyFacts, bar: Bar, calendar: SessionList, *, force: bool) -> None:
    """The rules of every bar; a person's jump is doubted whatever its age, and taken when it is meant."""
    around = Neighbourhood(
        sessions=calendar.closed_set,
        newest=calendar.newest() or date.min,
        young_from=date.min,
        splits=actions.load_splits(connection, [company.id]).get(company.id, {}),
        suspects={},
        previous_close=prices.load_previous_closes(connection, {company.id: bar.date}).get(company.id),
    )
    for found in check_bars([bar], around).findings:
        if found.rule != JUMP:
            raise UsageError(f"{found.sentence}; nothing was stored")
        if not force:
            before = plain(price_to_decimal(around.previous_close or 0))
            raise UsageError(
                f"{bar.date}: {RULES[JUMP]} (the close before is {before}); nothing was stored; --force stores it"
            )


def _note(
    connection: Connection, company: CompanyFacts, kind: str, bar: Bar, *, by: str, why: str, now: datetime
) -> str:
    """Write the decision down; the bar in words."""
    o, h, low, c = (plain(price_to_decimal(price)) for price in bar[1:5])
    detail = f"open {o}, high {h}, low {low}, close {c}, volume {bar.volume}"
    decisions.store_decision(connection, company.id, kind, bar.date, detail=detail, by=by, why=why, now=now)
    return detail
