"""What positions are made of, read fast: one account's orders as trades, and everybody's shares as sums.

No number of shares is kept anywhere: every position follows from orders, splits and the account's fraction policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    or_,
    select,
    type_coerce,
)

from closingbell.domain.entitlements import FractionPolicy, PositionWalk, Split, shown_quantity
from closingbell.domain.entitlements import Trade as EntitlingTrade
from closingbell.domain.ledger import BookableOrder, gross_of
from closingbell.domain.orders import INCOMING, SHARE_MOVES
from closingbell.domain.positions import Position, Trade, insert_before, position_of, shares_through
from closingbell.models import Account, Company, CorporateActionRow, DividendPayment, Order
from closingbell.stores import actions
from closingbell.stores.orders import BOOKABLE
from closingbell.stores.upsert import in_groups, table_of

_ORDER = table_of(Order).c
_LEG = table_of(DividendPayment).c
_INT = BigInteger()
CHANGE_COST = (*SHARE_MOVES, "CAPITAL_RETURN", "COST_CHANGE")
_QUANTITY = type_coerce(_ORDER.quantity, _INT)
_AT_ONCE = 5_000

# Made once: putting such a statement together takes longer than a database takes to answer it.
_ACCOUNTS: BindParameter[Any] = bindparam("account_ids", expanding=True)
_ORDERS_OF_ACCOUNTS = (
    select(*BOOKABLE)
    .where(_ORDER.account_id.in_(_ACCOUNTS), _ORDER.trade_date <= bindparam("last"))
    .where(_ORDER.deleted_at.is_(None))
    .order_by(_ORDER.account_id, _ORDER.trade_date, _ORDER.executed_at, _ORDER.id)
)
_EX_DATE = table_of(CorporateActionRow).c.ex_date
_LEGS_OF_ACCOUNTS = (
    select(_LEG.account_id, _LEG.company_id, _LEG.leg, _EX_DATE, type_coerce(_LEG.gross, _INT))
    .join(table_of(CorporateActionRow), table_of(CorporateActionRow).c.id == _LEG.corporate_action_id)
    .where(_LEG.account_id.in_(_ACCOUNTS), _LEG.is_active == 1)
    .where(or_(_LEG.leg.in_(("CIL", "SPIN_OFF")), and_(_LEG.leg == "ACCRUAL", _LEG.kind == "RETURN_OF_CAPITAL")))
    .order_by(_EX_DATE)
)


class Move(NamedTuple):
    """Shares that an order brought (above zero) or took."""

    trade_date: date
    quantity: int
    order_id: int


class Held(NamedTuple):
    """Shares of a company in an account, as a scaled integer; below zero for a short position."""

    company_id: int
    account_id: int
    quantity: int


@dataclass(slots=True)
class HoldingFacts:
    """One account's orders of one company as trades, and the currencies that they were paid in."""

    company_id: int
    trades: list[Trade] = field(default_factory=list)
    currencies: dict[str, None] = field(default_factory=dict)
    splits: Mapping[date, Fraction] = field(default_factory=dict)
    cash_in_lieu: dict[date, int] = field(default_factory=dict)

    @property
    def currency(self) -> str:
        """The currency of the first order."""
        return next(iter(self.currencies), "USD")

    def moves(self) -> list[Move]:
        """The orders that brought or took shares."""
        return [
            Move(trade.trade_date, trade.quantity if trade.type in INCOMING else -trade.quantity, trade.order_id)
            for trade in self.trades
            if trade.type in SHARE_MOVES
        ]

    def walk(self, policy: FractionPolicy) -> PositionWalk:
        """The position day by day, in the share units of each."""
        trades = [EntitlingTrade(move.trade_date, move.quantity) for move in self.moves()]
        splits = [Split(day, ratio.numerator, ratio.denominator) for day, ratio in sorted(self.splits.items())]
        return PositionWalk(trades, splits, policy)

    def position(self, *, policy: FractionPolicy, on: date | None = None) -> Position:
        """The position at the end of ``on``; fractions paid in cash have the proceeds that the books say."""
        found = position_of(self.trades, self.splits, on=on, policy=policy, currency=self.currency)
        return found.with_cash_in_lieu(self.cash_in_lieu)


def load_moves(connection: Connection, account_id: int, company_id: int) -> list[Move]:
    """Every order that moved shares of a company in an account."""
    query = select(_ORDER.trade_date, _signed(), _ORDER.id).where(
        _ORDER.company_id == company_id, _ORDER.account_id == account_id, _counting()
    )
    return [Move(*row) for row in connection.execute(query)]


def load_holdings(
    connection: Connection, account_id: int, *, on: date | None = None, company_id: int | None = None
) -> dict[int, HoldingFacts]:
    """What one account's positions are made of, by company; orders after ``on`` are left out."""
    return load_holdings_of(connection, [account_id], on=on, company_id=company_id)[account_id]


def load_holdings_of(
    connection: Connection, account_ids: Sequence[int], *, on: date | None = None, company_id: int | None = None
) -> dict[int, dict[int, HoldingFacts]]:
    """The same of several accounts, by account and company: as many statements as for one, up to 500 of them."""
    found: dict[int, dict[int, HoldingFacts]] = {account_id: {} for account_id in account_ids}
    for group in in_groups(account_ids):
        for row in connection.execute(_ORDERS_OF_ACCOUNTS, {"account_ids": group, "last": on or date.max}):
            order = BookableOrder(*row)
            if order.company_id is None or order.type not in CHANGE_COST or company_id not in (None, order.company_id):
                continue
            facts = found[order.account_id].setdefault(order.company_id, HoldingFacts(order.company_id))
            facts.trades.append(Trade(order.trade_date, order.type, order.quantity or 0, gross_of(order), order.id))
            facts.currencies[order.currency] = None
    _add_actions(connection, found)
    return found


def _add_actions(connection: Connection, found: Mapping[int, dict[int, HoldingFacts]]) -> None:
    """Splits, and what the books paid for fractions and as returns of capital, or gave away with a spin-off."""
    splits = actions.load_splits(connection, sorted({company_id for held in found.values() for company_id in held}))
    for held in found.values():
        for company_id in held.keys() & splits.keys():
            held[company_id].splits = splits[company_id]
    for group in in_groups(list(found)):
        _add_legs(connection, group, found)


def _add_legs(connection: Connection, account_ids: Sequence[int], found: Mapping[int, dict[int, HoldingFacts]]) -> None:
    legs = connection.execute(_LEGS_OF_ACCOUNTS, {"account_ids": account_ids})
    for account_id, company_id, leg, day, gross in legs:
        facts = found[account_id].get(company_id)
        if facts is None:
            continue
        if leg == "CIL":
            facts.cash_in_lieu[day] = gross
        elif leg == "SPIN_OFF":
            insert_before(facts.trades, Trade(day, "COST_CHANGE", 0, -gross))
        else:
            # That day's own trades are without the right.
            insert_before(facts.trades, Trade(day, "CAPITAL_RETURN", 0, gross))


def stream_positions(connection: Connection, *, on: date) -> Iterator[Held]:
    """Every position that is not zero at the end of ``on``, company by company, without holding them all in memory.

    The database sums each account's orders between two splits; what a split does to the sum is decided here.
    """
    policies = _load_policies(connection)
    row = table_of(Company).c
    ids = list(connection.scalars(select(row.id).where(exists().where(_ORDER.company_id == row.id)).order_by(row.id)))
    known = actions.load_splits(connection, ids)
    for company_id in ids:
        splits = sorted((day, ratio) for day, ratio in known.get(company_id, {}).items() if day <= on)
        yield from _stream_company(connection, company_id, splits, on, policies)


def _load_policies(connection: Connection) -> dict[int, FractionPolicy]:
    """The fraction policies of accounts that do not simply keep fractions."""
    row = table_of(Account).c
    query = select(row.id, row.fraction_policy).where(row.fraction_policy != FractionPolicy.KEEP)
    return {id_: FractionPolicy(policy) for id_, policy in connection.execute(query)}


def _stream_company(
    connection: Connection,
    company_id: int,
    splits: Sequence[tuple[date, Fraction]],
    on: date,
    policies: dict[int, FractionPolicy],
) -> Iterator[Held]:
    days = [day for day, _ in splits]
    ratios = [ratio for _, ratio in splits]
    # One company at a time: so every database reads the one index that has all of it, in its order.
    rows = connection.execution_options(stream_results=True).execute(
        _sums_between(days) if days else _SUMS, {"company_id": company_id, "last": on}
    )
    for group in rows.partitions(_AT_ONCE):
        for account_id, *sums in group:
            quantity = sums[0] if not days else _after(sums, ratios, policies.get(account_id, FractionPolicy.KEEP))
            if quantity:
                yield Held(company_id, account_id, quantity)


def _after(sums: Sequence[int], ratios: Sequence[Fraction], policy: FractionPolicy) -> int:
    return shown_quantity(shares_through(sums, ratios, policy=policy))


def _sums_between(days: Sequence[date]) -> Select[*tuple[Any, ...]]:
    """What each account's orders of one company brought before, between and after these days."""
    columns = [cast(func.sum(_signed()), _INT)]
    if days:
        columns = [
            cast(func.sum(case((_between(first, last), _signed()), else_=0)), _INT)
            for first, last in zip([None, *days], [*days, None], strict=True)
        ]
    return (
        select(_ORDER.account_id, *columns)
        .where(_ORDER.company_id == bindparam("company_id"), _ORDER.trade_date <= bindparam("last"), _counting())
        .group_by(_ORDER.account_id)
    )


def _between(first: date | None, last: date | None) -> ColumnElement[bool]:
    """Trades from ``first`` on and before ``last``: those of a split's own day are in new shares already."""
    return and_(
        *([] if first is None else [_ORDER.trade_date >= first]),
        *([] if last is None else [_ORDER.trade_date < last]),
    )


def _counting() -> ColumnElement[bool]:
    return and_(_ORDER.type.in_(SHARE_MOVES), _ORDER.deleted_at.is_(None))


def _signed() -> ColumnElement[int]:
    return case((_ORDER.type.in_(INCOMING), _QUANTITY), else_=-_QUANTITY)


_SUMS = _sums_between([])
