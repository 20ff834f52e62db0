"""The newest bar of every company, and the bars of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, select

from closingbell.domain.actions import PAYING
from closingbell.domain.adjusting import Factors, adjust, factors_of
from closingbell.domain.bars import Bar
from closingbell.domain.money import PRICE_SCALE, from_scaled
from closingbell.errors import UnknownSymbolError
from closingbell.models import Company, PriceHistory, PriceSummary
from closingbell.stores import actions, companies
from closingbell.stores.companies import CompanyFacts
from closingbell.stores.database import Database
from closingbell.stores.in_one import Dates, instant_of, is_true, load_in_one
from closingbell.stores.upsert import raw_prices, table_of

# More symbols than these are picked out of all.
_FEW = 500
_BAR = raw_prices(PriceHistory)
_SUMMARY = raw_prices(PriceSummary)


@dataclass(frozen=True, slots=True)
class LatestBar:
    """A company's newest close, as traded; ``is_provisional`` while it may still move."""

    symbol: str
    date: date
    close: Decimal
    currency: str | None
    is_provisional: bool
    provider: str
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class DailyBar:
    """One session's bar; ``flag`` names what looks odd."""

    date: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    is_provisional: bool
    provider: str
    fetched_at: datetime
    flag: str | None


@dataclass(frozen=True, slots=True)
class Series:
    """A company's bars in ascending order, as traded or adjusted for later splits and dividends."""

    symbol: str
    currency: str | None
    is_adjusted: bool
    bars: tuple[DailyBar, ...]


@dataclass(frozen=True, slots=True)
class DrawnSeries:
    """A company's bars for the eye, a list for each value, ascending; prices are floats, near the exact ones."""

    currency: str | None
    at: list[str]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[int]


def load_latest_bars(database: Database, *, symbols: tuple[str, ...] | None = None) -> list[LatestBar]:
    """The newest bar of every company that has one, or of the chosen ones, by symbol; from the summaries alone.

    Raise UnknownSymbolError that names unknown symbols.
    """
    kept, company = _SUMMARY.c, table_of(Company).c
    query = (
        select(company.symbol, kept.date, kept.close, company.currency, kept.is_settled, kept.provider, kept.fetched_at)
        .join(_SUMMARY, kept.company_id == company.id)
        .where(kept.date.is_not(None))
    )
    few = query.where(company.symbol.in_(symbols)) if symbols is not None and len(symbols) <= _FEW else query
    with database.read() as connection:
        rows = load_in_one(connection, few)
        if symbols is not None:
            chosen = set(symbols)
            rows = [row for row in rows if row[0] in chosen]
            if len(rows) < len(chosen):
                known = _require_known(connection, tuple(chosen - {row[0] for row in rows}))
                # A former name stands for its company.
                renamed = {facts.symbol for facts in known.values()} - chosen
                rows += load_in_one(connection, query.where(company.symbol.in_(renamed))) if renamed else []
    day_of = Dates()
    return [
        LatestBar(
            symbol,
            day_of[day],
            from_scaled(int(close), PRICE_SCALE),
            currency or None,
            not is_true(is_settled),
            provider,
            instant_of(fetched_at),
        )
        for symbol, day, close, currency, is_settled, provider, fetched_at in sorted(rows, key=itemgetter(0))
    ]


def load_series(
    database: Database, symbol: str, *, first: date | None = None, last: date | None = None, adjusted: bool = False
) -> Series:
    """The bars of one company from ``first`` to ``last``, both included, each perhaps open.

    ``adjusted`` rewrites them for every later split and dividend, also those after ``last``. Raise UnknownSymbolError.
    """
    with database.read() as connection:
        company, bars, rest = _load_bars(connection, symbol, first, last, adjusted)
    daily = tuple(_daily_bar(bar, *others) for bar, others in zip(bars, rest, strict=True))
    return Series(symbol, company.currency, adjusted, daily)


def load_drawn_series(database: Database, symbol: str, *, first: date | None = None, adjusted: bool) -> DrawnSeries:
    """The bars of one company from ``first`` on as a chart draws them. Raise UnknownSymbolError."""
    with database.read() as connection:
        company, bars, _ = _load_bars(connection, symbol, first, None, adjusted)
    scale = 10**PRICE_SCALE
    return DrawnSeries(
        currency=company.currency,
        at=[bar.date.isoformat() for bar in bars],
        open=[bar.open / scale for bar in bars],
        high=[bar.high / scale for bar in bars],
        low=[bar.low / scale for bar in bars],
        close=[bar.close / scale for bar in bars],
        volume=[bar.volume for bar in bars],
    )


def _load_bars(
    connection: Connection, symbol: str, first: date | None, last: date | None, adjusted: bool
) -> tuple[CompanyFacts, list[Bar], list[Sequence[Any]]]:
    """A company, its bars in ascending order, and what else is stored of each: settled, provider, fetched, flag."""
    bar = _BAR.c
    company = _require_known(connection, (symbol,))[symbol]
    query = select(
        bar.date, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.is_settled, bar.provider, bar.fetched_at,
        bar.flag,
    ).where(bar.company_id == company.id)  # fmt: skip
    if first is not None:
        query = query.where(bar.date >= first)
    if last is not None:
        query = query.where(bar.date <= last)
    rows = sorted(load_in_one(connection, query), key=itemgetter(0))
    bars = [Bar(date.fromisoformat(row[0]), *map(int, row[1:6])) for row in rows]
    factors = _load_factors(connection, company, bars) if adjusted and bars else []
    return company, adjust(bars, factors) if factors else bars, [row[6:] for row in rows]


def _daily_bar(bar: Bar, is_settled: str, provider: str, fetched_at: str, flag: str) -> DailyBar:
    day, *prices, volume = bar
    opened, high, low, close = (from_scaled(price, PRICE_SCALE) for price in prices)
    return DailyBar(
        day,
        opened,
        high,
        low,
        close,
        volume,
        not is_true(is_settled),
        provider,
        instant_of(fetched_at),
        flag or None,
    )


def _load_factors(connection: Connection, company: CompanyFacts, bars: Sequence[Bar]) -> list[Factors]:
    """What bars are adjusted by: splits, held ones too, and what was paid in the company's money, until today."""
    first, last = bars[0].date, bars[-1].date
    ids, dividends = [company.id], dict[date, Decimal]()
    splits = actions.load_price_splits(connection, ids).get(company.id, {})
    splits |= actions.load_splits(connection, ids).get(company.id, {})
    for action in actions.load_actions(connection, ids, first=first).get(company.id, []):
        is_paid = action.kind in PAYING and not (action.is_held or action.is_cancelled)
        if is_paid and action.facts.currency == company.currency:
            dividends[action.ex_date] = dividends.get(action.ex_date, Decimal(0)) + (action.facts.amount or Decimal(0))
    closes = [(bar.date, bar.close) for bar in bars]
    if any(day > last for day in dividends):
        row = _BAR.c
        later = select(row.date, row.close).where(row.company_id == company.id, row.date > last).order_by(row.date)
        closes += [(day, close) for day, close in connection.execute(later)]
    return factors_of(closes, splits, dividends)


def _require_known(connection: Connection, symbols: tuple[str, ...]) -> dict[str, CompanyFacts]:
    known = companies.load_by_symbol(connection, symbols)
    unknown = sorted(set(symbols) - set(known))
    if unknown:
        raise UnknownSymbolError(f"no company of that symbol is known here: {', '.join(unknown)}")
    return known
