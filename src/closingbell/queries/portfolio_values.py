"""An account's value over time: shares at the closes of their day, cash, and dividends on their way."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from sqlalchemy import Connection, func, select

from closingbell.domain.entitlements import FractionPolicy
from closingbell.domain.ledger import CASH, PAYABLE, RECEIVABLE
from closingbell.domain.valuation import price_in_units_of, worth
from closingbell.models import LedgerEntry
from closingbell.queries.portfolio import Amount, CompanyNames, amounts_of, chosen_accounts, load_names, total_in
from closingbell.stores import positions
from closingbell.stores.accounts import AccountFacts
from closingbell.stores.books import load_fx_rates
from closingbell.stores.closes import Close, load_closes
from closingbell.stores.database import Database
from closingbell.stores.positions import HoldingFacts
from closingbell.stores.upsert import table_of

Every = Literal["day", "week", "month"]
_ENTRY = table_of(LedgerEntry).c
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ValuePoint:
    """What an account was worth at the end of a day: shares, cash and what was owed to it, in one currency.

    ``total`` is in the account's currency at that day's rates, None where one is missing.
    """

    date: date
    securities: tuple[Amount, ...]
    cash: tuple[Amount, ...]
    owed: tuple[Amount, ...]
    total: Decimal | None


def load_values(
    database: Database, account: str, *, first: date, last: date, every: Every = "month"
) -> list[ValuePoint]:
    """The value at the end of each session of the range, or of the last one of each week or month, and of ``last``.

    Raise UnknownAccountError.
    """
    with database.read() as connection:
        (facts,) = chosen_accounts(connection, account)
        return _values(connection, facts, first, last, every)


def _values(connection: Connection, account: AccountFacts, first: date, last: date, every: Every) -> list[ValuePoint]:
    holdings = positions.load_holdings(connection, account.id, on=last)
    names = load_names(connection, sorted(holdings))
    closes = {id_: load_closes(connection, id_, first=first, last=last) for id_ in sorted(holdings)}
    sessions = {close.date for of_company in closes.values() for close in of_company if close.date >= first}
    days = _sampled(sorted(sessions | {last}), every)
    policy = FractionPolicy(account.fraction_policy)
    walks = {id_: facts.walk(policy) for id_, facts in holdings.items()}
    money = _balances(connection, account.id, days)
    points = []
    for day in days:
        shares = {id_: walk.advance(day + _DAY) for id_, walk in walks.items()}
        securities = _worth(day, shares, holdings, closes, names)
        cash, owed = money[day]
        points.append(ValuePoint(day, securities, cash, owed, None))
    return _summed(connection, points, account.currency)


def _summed(connection: Connection, points: Sequence[ValuePoint], currency: str) -> list[ValuePoint]:
    """The points with their totals in one currency."""
    worth_of = {point.date: (*point.securities, *point.cash, *point.owed) for point in points}
    pairs = {(one.currency, currency) for amounts in worth_of.values() for one in amounts}
    rates = load_fx_rates(connection, pairs, first=points[0].date, last=points[-1].date)
    return [replace(point, total=total_in(rates, worth_of[point.date], currency, on=point.date)[0]) for point in points]


def _sampled(days: Sequence[date], every: Every) -> list[date]:
    """The last day of each week or month."""
    if every == "day":
        return list(days)
    newest: dict[tuple[int, int], date] = {}
    for day in days:
        newest[day.isocalendar()[:2] if every == "week" else (day.year, day.month)] = day
    return list(newest.values())


def _worth(
    day: date,
    shares: Mapping[int, int],
    holdings: Mapping[int, HoldingFacts],
    closes: Mapping[int, Sequence[Close]],
    names: Mapping[int, CompanyNames],
) -> tuple[Amount, ...]:
    sums: dict[str, Decimal] = {}
    for id_, quantity in shares.items():
        newest = _newest(closes[id_], day)
        if not quantity or newest is None:
            continue
        currency = names[id_].currency or holdings[id_].currency
        splits: Mapping[date, Fraction] = holdings[id_].splits
        price = price_in_units_of(day, price=newest.price, traded_on=newest.date, splits=splits)
        sums[currency] = sums.get(currency, Decimal(0)) + worth(quantity, price, currency)
    return amounts_of(sums)


def _newest(closes: Sequence[Close], day: date) -> Close | None:
    position = bisect_right(closes, day, key=lambda close: close.date)
    return closes[position - 1] if position else None


def _balances(
    connection: Connection, account_id: int, days: Sequence[date]
) -> dict[date, tuple[tuple[Amount, ...], tuple[Amount, ...]]]:
    """Cash, and what is owed, at the end of each day."""
    query = (
        select(_ENTRY.value_date, _ENTRY.name, _ENTRY.currency, func.sum(_ENTRY.amount))
        .where(_ENTRY.account_id == account_id, _ENTRY.name.in_((CASH, RECEIVABLE, PAYABLE)))
        .group_by(_ENTRY.value_date, _ENTRY.name, _ENTRY.currency)
        .order_by(_ENTRY.value_date)
    )
    changes = connection.execute(query).all()
    cash: dict[str, Decimal] = {}
    owed: dict[str, Decimal] = {}
    found, at = {}, 0
    for day in days:
        while at < len(changes) and changes[at][0] <= day:
            _, name, currency, amount = changes[at]
            kept = cash if name == CASH else owed
            kept[currency] = kept.get(currency, Decimal(0)) + amount
            at += 1
        found[day] = (amounts_of(cash), amounts_of(owed))
    return found
