"""The facts that decide who is paid what: trades, accounts, entries of people's own, rates, closes, holidays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter

from sqlalchemy import ColumnElement, Connection, case, func, select
from sqlalchemy import type_coerce as coerced

from closingbell.domain.bars import INTRADAY
from closingbell.domain.entitlements import FractionPolicy, Trade
from closingbell.domain.money import PRICE_SCALE, QUANTITY_SCALE
from closingbell.domain.orders import COMPANY_INCOME, OUTGOING, SHARE_MOVES
from closingbell.domain.payments import Holder, Preference, StoredLink, UserDividend
from closingbell.domain.rounding import Rounding, money_of_ratio
from closingbell.models import (
    Account,
    BankHoliday,
    DividendChoice,
    DividendLink,
    DividendRerate,
    FxRate,
    MarketCalendar,
    MarketSession,
    Order,
    PriceHistory,
    ScripElection,
)
from closingbell.stores.books import FX_DAYS_BACK
from closingbell.stores.upsert import in_groups, table_of

_ORDER = table_of(Order).c
_INT = _ORDER.account_id.type
_PRICE_TIMES_QUANTITY = 10 ** (PRICE_SCALE + QUANTITY_SCALE)

Trades = dict[int, dict[int, list[Trade]]]
"""Trades by company and account."""


def load_trades(
    connection: Connection,
    company_ids: Sequence[int],
    *,
    account_id: int | None = None,
    summed_before: Mapping[int, date] | None = None,
) -> Trades:
    """Every trade that counts, of one account or all, with the sign of what it did to the position.

    ``summed_before`` (by company) gives an account's trades before that day as one, on the day of the first of them:
    whoever asks only for positions from then on needs no more.
    """
    found: Trades = {company_id: {} for company_id in company_ids}
    together: dict[date, list[int]] = defaultdict(list)
    for company_id in company_ids:
        together[(summed_before or {}).get(company_id, date.min)].append(company_id)
    for first, ids in sorted(together.items()):
        for group in in_groups(ids):
            which: list[ColumnElement[bool]] = [
                _ORDER.company_id.in_(group),
                _ORDER.deleted_at.is_(None),
                _ORDER.type.in_(SHARE_MOVES),
            ]
            if account_id is not None:
                which.append(_ORDER.account_id == account_id)
            if first > date.min:
                _take_sums(connection, found, [*which, _ORDER.trade_date < first])
                which.append(_ORDER.trade_date >= first)
            _take_trades(connection, found, which)
    return found


def _take_sums(connection: Connection, found: Trades, which: Sequence[ColumnElement[bool]]) -> None:
    quantity = coerced(_ORDER.quantity, _INT)
    signed = case((_ORDER.type.in_(OUTGOING), -quantity), else_=quantity)
    query = (
        select(_ORDER.company_id, _ORDER.account_id, func.min(_ORDER.trade_date), func.sum(signed))
        .where(*which)
        .group_by(_ORDER.company_id, _ORDER.account_id)
    )
    for company_id, account_id, first, sum_ in connection.execute(query).all():
        found[company_id][account_id] = [Trade(first, int(sum_ or 0))]


def _take_trades(connection: Connection, found: Trades, which: Sequence[ColumnElement[bool]]) -> None:
    outgoing = set(OUTGOING)
    query = (
        select(_ORDER.company_id, _ORDER.account_id, _ORDER.trade_date, _ORDER.type, coerced(_ORDER.quantity, _INT))
        .where(*which)
        .order_by(_ORDER.company_id, _ORDER.account_id, _ORDER.trade_date)
    )
    # One after the other, each row costs a walk through the result's layers.
    rows = connection.execute(query).all()
    for (company_id, account_id), of_account in groupby(rows, key=itemgetter(0, 1)):
        found[company_id].setdefault(account_id, []).extend(
            Trade(trade_date, -(quantity or 0) if type_ in outgoing else quantity or 0)
            for _, _, trade_date, type_, quantity in of_account
        )


def load_holders(connection: Connection, account_ids: Iterable[int]) -> dict[int, Holder]:
    """Accounts, and how what companies do is settled in each."""
    columns = (
        Account.id, Account.currency, Account.residence, Account.rounding, Account.fraction_policy,
        Account.is_reinvesting, Account.drip_decimals, Account.dividend_preference,
        Account.takes_scrip,
    )  # fmt: skip
    found = {}
    for group in in_groups(sorted(account_ids)):
        for id_, currency, residence, rounding, fractions, reinvests, decimals, preference, scrip in connection.execute(
            select(*columns).where(Account.id.in_(group))
        ):
            found[id_] = Holder(
                id_,
                currency,
                residence,
                Rounding(rounding),
                FractionPolicy(fractions),
                reinvests,
                decimals,
                Preference(preference),
                scrip,
            )
    return found


def load_user_dividends(
    connection: Connection, company_ids: Sequence[int], *, account_id: int | None = None
) -> dict[int, dict[int, list[UserDividend]]]:
    """What people and statements say was paid, to one account or all, by company and account."""
    found: dict[int, dict[int, list[UserDividend]]] = defaultdict(lambda: defaultdict(list))
    scaled = (coerced(_ORDER[name], _INT) for name in ("amount", "quantity", "price", "fee", "tax"))
    columns = (_ORDER.company_id, _ORDER.account_id, _ORDER.id, _ORDER.trade_date, _ORDER.currency, *scaled)
    for group in in_groups(company_ids):
        query = select(*columns).where(
            _ORDER.company_id.in_(group), _ORDER.deleted_at.is_(None), _ORDER.type.in_(COMPANY_INCOME)
        )
        if account_id is not None:
            query = query.where(_ORDER.account_id == account_id)
        for row in connection.execute(query.order_by(_ORDER.trade_date, _ORDER.id)):
            company_id, account, order_id, day, currency, amount, quantity, price, fee, tax = row
            gross = amount
            if gross is None:
                gross = money_of_ratio(
                    (quantity or 0) * (price or 0), _PRICE_TIMES_QUANTITY, currency, Rounding.HALF_UP
                )
            entry = UserDividend(order_id, day, currency, gross, gross - fee - tax)
            found[company_id][account].append(entry)
    return found


def load_links(connection: Connection, action_ids: Sequence[int]) -> dict[tuple[int, int], StoredLink]:
    """Entries that stand for an entitlement, by action and account."""
    row = table_of(DividendLink).c
    columns = row.corporate_action_id, row.account_id, row.order_id, row.is_by_person, coerced(row.gross, _INT)
    found = {}
    for group in in_groups(action_ids):
        query = select(*columns, row.currency).where(row.corporate_action_id.in_(group))
        for action_id, account_id, *stored in connection.execute(query):
            found[action_id, account_id] = StoredLink(*stored)
    return found


def load_choices(connection: Connection, action_ids: Sequence[int]) -> dict[tuple[int, int], bool]:
    """What people said of suggestions, by action and account: whether it is accepted."""
    row = table_of(DividendChoice).c
    return _load_said(connection, row.is_accepted, row.corporate_action_id, row.account_id, action_ids)


def load_elections(connection: Connection, action_ids: Sequence[int]) -> dict[tuple[int, int], bool]:
    """What people chose for one dividend that may be had in shares, by action and account: whether they take them."""
    row = table_of(ScripElection).c
    return _load_said(connection, row.takes_shares, row.corporate_action_id, row.account_id, action_ids)


def _load_said(
    connection: Connection,
    said: ColumnElement[bool],
    of_action: ColumnElement[int],
    of_account: ColumnElement[int],
    action_ids: Sequence[int],
) -> dict[tuple[int, int], bool]:
    """What people said, yes or no, of actions for accounts: by action and account."""
    found = {}
    for group in in_groups(action_ids):
        for action_id, account_id, is_so in connection.execute(
            select(of_action, of_account, said).where(of_action.in_(group))
        ):
            found[action_id, account_id] = bool(is_so)
    return found


def load_rerates(connection: Connection, action_ids: Sequence[int]) -> list[tuple[int, int, str, datetime]]:
    """What people want computed anew: action, account, the reason in words, and when it was asked."""
    row = table_of(DividendRerate).c
    found: list[tuple[int, int, str, datetime]] = []
    for group in in_groups(action_ids):
        query = select(row.corporate_action_id, row.account_id, row.reason, row.asked_at)
        found += [tuple(one) for one in connection.execute(query.where(row.corporate_action_id.in_(group)))]
    return found


def load_exchange(
    connection: Connection, currencies: Sequence[str], *, first: date, last: date
) -> dict[tuple[str, str], list[tuple[date, int]]]:
    """Exchange rates between these currencies, by pair and in the order of their days."""
    row = table_of(FxRate).c
    query = (
        select(row.from_currency, row.to_currency, row.date, coerced(row.rate, _INT))
        .where(row.from_currency.in_(currencies), row.to_currency.in_(currencies))
        .where(row.date.between(first - FX_DAYS_BACK, last))
        .order_by(row.from_currency, row.to_currency, row.date)
    )
    found: dict[tuple[str, str], list[tuple[date, int]]] = defaultdict(list)
    for source, target, day, rate in connection.execute(query):
        found[source, target].append((day, rate))
    return found


def newest_rate(rates: Sequence[tuple[date, int]], on: date) -> tuple[int, date] | None:
    """The newest of ``rates`` on a day or up to FX_DAYS_BACK before."""
    for day, rate in reversed(rates):
        if day <= on:
            return (rate, day) if on - day <= FX_DAYS_BACK else None
    return None


def load_closes(connection: Connection, wanted: Mapping[int, Iterable[date]]) -> dict[tuple[int, date], int]:
    """Closes as traded of companies on chosen days; what a session's bar says while it runs is none."""
    row = table_of(PriceHistory).c
    found: dict[tuple[int, date], int] = {}
    for company_id, days in sorted(wanted.items()):
        for group in in_groups(sorted(set(days))):
            query = select(row.date, coerced(row.close, _INT), row.flag)
            query = query.where(row.company_id == company_id, row.date.in_(group))
            found |= {(company_id, day): close for day, close, flag in connection.execute(query) if flag != INTRADAY}
    return found


def load_bank_holidays(connection: Connection) -> dict[str, dict[date, bool]]:
    """What people say of bank holidays, by currency and day."""
    row = table_of(BankHoliday).c
    found: dict[str, dict[date, bool]] = defaultdict(dict)
    for currency, day, is_holiday in connection.execute(select(row.currency, row.date, row.is_holiday)):
        found[currency][day] = is_holiday
    return found


def load_closures(connection: Connection, mic: str, days: Iterable[date]) -> set[date]:
    """Which of these days are known to be no session of an exchange."""
    wanted = sorted(set(days))
    calendar, session = table_of(MarketCalendar).c, table_of(MarketSession).c
    known = connection.execute(select(calendar.first_date, calendar.last_date).where(calendar.mic == mic)).one_or_none()
    if known is None:
        return set()
    open_days: set[date] = set()
    for group in in_groups(wanted):
        open_days |= set(
            connection.scalars(
                select(session.date).where(session.mic == mic, session.is_open.is_(True), session.date.in_(group))
            )
        )
    return {day for day in wanted if known[0] <= day <= known[1] and day not in open_days}
