"""What is stored, row by row, for files: streamed, never the whole in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, Select, select

from closingbell.domain.market_zones import NEW_YORK
from closingbell.domain.money import QUANTITY_SCALE, from_scaled
from closingbell.domain.orders import INCOMING, SHARE_MOVES
from closingbell.domain.positions import shares_held
from closingbell.models import Account, Company, CorporateActionRow, JobLog, Order, PriceHistory
from closingbell.stores import actions, companies
from closingbell.stores.database import Database

Row = dict[str, Any]
Query = Select[*tuple[Any, ...]]
_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Range:
    """What to export: symbols (None: all), and dates from ``first`` to ``last``, both included, each perhaps open."""

    symbols: tuple[str, ...] | None = None
    first: date | None = None
    last: date | None = None


def export_rows(database: Database, what: str, wanted: Range, *, today: date) -> Iterator[Row]:
    """The rows of ``what`` (a key of EXPORTS); raise UnknownSymbolError that names unknown symbols."""
    with database.read() as connection:
        if wanted.symbols is not None:
            # A former name stands for its company.
            known = companies.load_known(connection, wanted.symbols)
            wanted = replace(wanted, symbols=tuple(sorted({facts.symbol for facts in known.values()})))
        yield from EXPORTS[what](connection.execution_options(yield_per=_AT_ONCE), wanted, today)


def _rows(connection: Connection, query: Query) -> Iterator[Row]:
    for row in connection.execute(query).mappings():
        yield dict(row)


def _limited(query: Query, wanted: Range, day: Any) -> Query:
    if wanted.symbols is not None:
        query = query.where(Company.symbol.in_(wanted.symbols))
    if wanted.first is not None:
        query = query.where(day >= wanted.first)
    if wanted.last is not None:
        query = query.where(day <= wanted.last)
    return query


def _prices(connection: Connection, wanted: Range, _today: date) -> Iterator[Row]:
    """Bars as traded, one company after the other."""
    names = select(Company.id, Company.symbol, Company.currency).order_by(Company.symbol)
    if wanted.symbols is not None:
        names = names.where(Company.symbol.in_(wanted.symbols))
    bar = PriceHistory
    for company_id, symbol, currency in connection.execute(names).all():
        query = select(
            bar.date, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.is_settled, bar.provider,
            bar.fetched_at, bar.flag,
        ).where(bar.company_id == company_id)  # fmt: skip
        for row in _rows(
            connection, _limited(query, Range(None, wanted.first, wanted.last), bar.date).order_by(bar.date)
        ):
            state = "settled" if row.pop("is_settled") else "provisional"
            yield {"symbol": symbol, "currency": currency, **row, "state": state}


def _orders(connection: Connection, wanted: Range, _today: date) -> Iterator[Row]:
    query = (
        select(
            Account.name.label("account"), Order.trade_date.label("date"), Order.type, Company.symbol,
            Order.quantity, Order.price, Order.amount, Order.fee, Order.currency, Order.executed_at, Order.source,
        )
        .join(Account, Account.id == Order.account_id)
        .outerjoin(Company, Company.id == Order.company_id)
        .where(Order.deleted_at.is_(None))
        .order_by(Order.trade_date, Order.executed_at, Order.id)
    )  # fmt: skip
    return _rows(connection, _limited(query, wanted, Order.trade_date))


def _positions(connection: Connection, wanted: Range, today: date) -> Iterator[Row]:
    """Shares of each company in each account at the end of ``last`` (today), in that day's share units."""
    on = wanted.last or today
    query = (
        select(Account.name, Company.symbol, Company.id, Order.trade_date, Order.type, Order.quantity)
        .join(Account, Account.id == Order.account_id)
        .join(Company, Company.id == Order.company_id)
        .where(Order.deleted_at.is_(None), Order.type.in_(SHARE_MOVES), Order.trade_date <= on)
        .order_by(Account.name, Company.symbol, Order.trade_date)
    )
    holdings: dict[tuple[str, str, int], list[tuple[date, Fraction]]] = {}
    for account, symbol, company_id, trade_date, kind, quantity in connection.execute(
        _limited(query, Range(wanted.symbols), None)
    ):
        shares = Fraction(quantity) if kind in INCOMING else -Fraction(quantity)
        holdings.setdefault((account, symbol, company_id), []).append((trade_date, shares))
    splits = actions.load_splits(connection, sorted({key[2] for key in holdings}))
    for (account, symbol, company_id), orders in holdings.items():
        known = {day: ratio for day, ratio in splits.get(company_id, {}).items() if day <= on}
        shares = shares_held(orders, known)
        if shares:
            quantity = from_scaled(round(shares * 10**QUANTITY_SCALE), QUANTITY_SCALE)
            yield {"account": account, "symbol": symbol, "date": on, "quantity": quantity}


def _runs(connection: Connection, wanted: Range, _today: date) -> Iterator[Row]:
    log = JobLog
    query = select(
        log.id, log.job_name, log.status, log.trigger, log.started_at, log.completed_at, log.stocks_processed,
        log.stocks_failed, log.expected_count, log.covered_count, log.request_count,
        log.requests_by_provider, log.message, log.error_message,
    ).order_by(log.id)  # fmt: skip
    if wanted.first is not None:
        query = query.where(log.started_at >= _midnight(wanted.first))
    if wanted.last is not None:
        query = query.where(log.started_at < _midnight(wanted.last + timedelta(days=1)))
    return _rows(connection, query)


def _midnight(day: date) -> datetime:
    """The beginning of a date in New York, where runs are dated."""
    return datetime(day.year, day.month, day.day, tzinfo=NEW_YORK)


def _actions(connection: Connection, wanted: Range, _today: date) -> Iterator[Row]:
    row = CorporateActionRow
    query = (
        select(
            Company.symbol, row.kind, row.ex_date, row.amount, row.currency, row.numerator, row.denominator,
            row.printed, row.provider, row.first_seen_at,
        )
        .join(Company, Company.id == row.company_id)
        .order_by(Company.symbol, row.ex_date, row.kind)
    )  # fmt: skip
    return _rows(connection, _limited(query, wanted, row.ex_date))


EXPORTS: dict[str, Callable[[Connection, Range, date], Iterator[Row]]] = {
    "prices": _prices,
    "orders": _orders,
    "positions": _positions,
    "runs": _runs,
    "actions": _actions,
}

COLUMNS: dict[str, Sequence[str]] = {
    "prices": (
        "symbol", "date", "open", "high", "low", "close", "volume", "currency", "state", "provider", "fetched_at",
        "flag",
    ),
    "orders": (
        "account", "date", "type", "symbol", "quantity", "price", "amount", "fee", "currency", "executed_at", "source",
    ),
    "positions": ("account", "symbol", "date", "quantity"),
    "runs": (
        "id", "job_name", "status", "trigger", "started_at", "completed_at", "stocks_processed", "stocks_failed",
        "expected_count", "covered_count", "request_count", "requests_by_provider", "message", "error_message",
    ),
    "actions": (
        "symbol", "kind", "ex_date", "amount", "currency", "numerator", "denominator", "printed", "provider",
        "first_seen_at",
    ),
}  # fmt: skip
