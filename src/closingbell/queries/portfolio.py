"""What accounts hold and what it is worth: positions with cost, market value and gains, and cash by currency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Connection, select

from closingbell.domain.entitlements import FractionPolicy
from closingbell.domain.ledger import CASH, PAYABLE, RECEIVABLE
from closingbell.domain.money import PRICE_SCALE, QUANTITY_SCALE, from_scaled
from closingbell.domain.valuation import converted, money, price_in_units_of, worth
from closingbell.errors import UnknownAccountError
from closingbell.models import Company
from closingbell.stores import accounts, ledger, positions
from closingbell.stores.accounts import AccountFacts
from closingbell.stores.books import FxRates, load_fx_rates
from closingbell.stores.closes import Close, load_newest_closes
from closingbell.stores.database import Database
from closingbell.stores.positions import HoldingFacts
from closingbell.stores.upsert import in_groups, table_of

_CENT = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Amount:
    """Money in one currency."""

    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PositionView:
    """Shares of a company in an account; what is not known is None: a close not stored, a cost in two currencies.

    ``cost`` and ``realised_gain`` are in ``cost_currency``, ``close`` and ``market_value`` in ``currency``; fees are no
    part of the cost. ``unrealised_gain`` is there where both are one currency.
    """

    account: str
    symbol: str
    name: str | None
    quantity: Decimal
    cost: Decimal | None
    cost_currency: str | None
    average_cost: Decimal | None
    close: Decimal | None
    close_date: date | None
    market_value: Decimal | None
    currency: str | None
    unrealised_gain: Decimal | None
    realised_gain: Decimal | None


@dataclass(frozen=True, slots=True)
class PortfolioView:
    """An account at the end of a day. ``total`` is in its own currency, None where a rate or a close is not known.

    ``totals`` are by currency: shares at their closes, cash, and dividends between ex-date and pay date (``owed``).
    """

    account: str
    currency: str
    as_of: date
    positions: tuple[PositionView, ...]
    cash: tuple[Amount, ...]
    owed: tuple[Amount, ...]
    totals: tuple[Amount, ...]
    total: Decimal | None
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CompanyNames:
    """What a company is called, and the currency of its prices."""

    symbol: str
    name: str | None
    currency: str | None


def load_portfolios(
    database: Database, *, as_of: date, account: str | None = None, account_ids: Sequence[int] | None = None
) -> list[PortfolioView]:
    """Every account by name, the one called ``account``, or those of ``account_ids``; raise UnknownAccountError."""
    with database.read() as connection:
        chosen = (
            chosen_accounts(connection, account)
            if account_ids is None
            else list(accounts.load_accounts(connection, account_ids).values())
        )
        return [view for group in in_groups(chosen) for view in _portfolios(connection, group, as_of)]


def chosen_accounts(connection: Connection, name: str | None) -> list[AccountFacts]:
    """Every account by name, or the one of that name; raise UnknownAccountError."""
    if name is None:
        return list(accounts.load_accounts(connection).values())
    facts = accounts.find_account_facts(connection, name.strip())
    if facts is None:
        raise UnknownAccountError(f"no account is called {name.strip()!r}; closingbell accounts list shows them")
    return [facts]


def load_names(connection: Connection, company_ids: Sequence[int]) -> dict[int, CompanyNames]:
    """What companies are called."""
    row = table_of(Company).c
    found: dict[int, CompanyNames] = {}
    for group in in_groups(company_ids):
        for id_, *names in connection.execute(
            select(row.id, row.symbol, row.name, row.currency).where(row.id.in_(group))
        ):
            found[id_] = CompanyNames(*names)
    return found


def total_in(
    rates: FxRates, amounts: Sequence[Amount], currency: str, *, on: date
) -> tuple[Decimal | None, tuple[str, ...]]:
    """The sum of amounts in ``currency`` at the rates of ``on``; None and the reasons where one is missing."""
    total, missing = Decimal(0), []
    for one in amounts:
        if one.currency == currency or not one.amount:
            total += one.amount
            continue
        rate = rates.find(one.currency, currency, on=on)
        if rate is None:
            missing.append(f"no rate from {one.currency} to {currency} up to five days before {on}")
        else:
            total += converted(one.amount, rate, currency)
    return (None if missing else total), tuple(missing)


def _portfolios(connection: Connection, chosen: Sequence[AccountFacts], as_of: date) -> list[PortfolioView]:
    """Accounts at the end of a day; however many they are, each table is asked once."""
    ids = [account.id for account in chosen]
    holdings = positions.load_holdings_of(connection, ids, on=as_of)
    company_ids = sorted({company_id for held in holdings.values() for company_id in held})
    names = load_names(connection, company_ids)
    closes = load_newest_closes(connection, company_ids, on=as_of)
    balances: dict[int, dict[tuple[str, str], Decimal]] = {id_: {} for id_ in ids}
    found = ledger.load_balances(connection, account_ids=ids, names=(CASH, RECEIVABLE, PAYABLE), as_of=as_of)
    for (id_, name, currency), amount in found.items():
        balances[id_][name, currency] = amount
    worths = [
        _worth(
            account,
            [
                view
                for company_id, facts in holdings[account.id].items()
                if (view := _view(account, names[company_id], facts, closes.get(company_id), as_of)) is not None
            ],
            balances[account.id],
        )
        for account in chosen
    ]
    pairs = {(one.currency, worth.account.currency) for worth in worths for one in worth.totals}
    rates = load_fx_rates(connection, pairs, first=as_of, last=as_of)
    return [_portfolio(worth, rates, as_of) for worth in worths]


class _Worth(NamedTuple):
    """What an account holds, by currency, before it is summed up in the account's own."""

    account: AccountFacts
    positions: tuple[PositionView, ...]
    cash: tuple[Amount, ...]
    owed: tuple[Amount, ...]
    totals: tuple[Amount, ...]


def _worth(account: AccountFacts, shown: Sequence[PositionView], balances: dict[tuple[str, str], Decimal]) -> _Worth:
    cash = amounts_of({currency: amount for (name, currency), amount in balances.items() if name == CASH})
    sums: dict[str, Decimal] = {}
    for (name, currency), amount in balances.items():
        if name != CASH:
            sums[currency] = sums.get(currency, Decimal(0)) + amount
    owed = amounts_of(sums)
    ordered = tuple(sorted(shown, key=lambda one: one.symbol))
    return _Worth(account, ordered, cash, owed, _totals(shown, cash, owed))


def _portfolio(worth: _Worth, rates: FxRates, as_of: date) -> PortfolioView:
    account, shown, cash, owed, totals = worth
    total, remarks = total_in(rates, totals, account.currency, on=as_of)
    unpriced = [one.symbol for one in shown if one.market_value is None]
    if unpriced:
        total, remarks = None, (*remarks, f"no close is stored for {', '.join(unpriced)}")
    return PortfolioView(account.name, account.currency, as_of, shown, cash, owed, totals, total, remarks)


def _view(
    account: AccountFacts, names: CompanyNames, facts: HoldingFacts, close: Close | None, as_of: date
) -> PositionView | None:
    """The position, None where nothing is held."""
    position = facts.position(policy=FractionPolicy(account.fraction_policy), on=as_of)
    if not position.quantity:
        return None
    is_one_currency = len(facts.currencies) == 1
    quantity = from_scaled(position.quantity, QUANTITY_SCALE)
    cost = money(position.cost) if is_one_currency else None
    currency = names.currency or facts.currency
    price = value = None
    if close is not None:
        price = price_in_units_of(as_of, price=close.price, traded_on=close.date, splits=facts.splits)
        value = worth(position.quantity, price, currency)
    is_comparable = cost is not None and value is not None and currency == facts.currency
    return PositionView(
        account=account.name,
        symbol=names.symbol,
        name=names.name,
        quantity=quantity,
        cost=cost,
        cost_currency=facts.currency if is_one_currency else None,
        average_cost=None if cost is None else (cost / quantity).quantize(_CENT),
        close=None if price is None else from_scaled(price, PRICE_SCALE),
        close_date=None if close is None else close.date,
        market_value=value,
        currency=currency,
        unrealised_gain=value - cost if is_comparable and cost is not None and value is not None else None,
        realised_gain=money(position.realised_gain) if is_one_currency else None,
    )


def amounts_of(by_currency: Mapping[str, Decimal]) -> tuple[Amount, ...]:
    """Sums by currency, without those of nothing."""
    return tuple(Amount(currency, amount) for currency, amount in sorted(by_currency.items()) if amount)


def _totals(shown: Sequence[PositionView], cash: Sequence[Amount], owed: Sequence[Amount]) -> tuple[Amount, ...]:
    sums: dict[str, Decimal] = {}
    for one in (*cash, *owed):
        sums[one.currency] = sums.get(one.currency, Decimal(0)) + one.amount
    for view in shown:
        if view.market_value is not None and view.currency is not None:
            sums[view.currency] = sums.get(view.currency, Decimal(0)) + view.market_value
    return amounts_of(sums)
