"""Income as the ledger has it: gross, tax and net by month, company and account, in each currency."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from sqlalchemy import Connection, or_, select

from closingbell.domain.ledger import CASH, DIVIDEND, INCOME, INTEREST, PAYMENT_IN_LIEU, REVERSAL, WITHHOLDING_TAX
from closingbell.domain.payments import Leg
from closingbell.models import DividendPayment, LedgerEntry
from closingbell.queries.portfolio import chosen_accounts, load_names
from closingbell.stores.database import Database
from closingbell.stores.upsert import in_groups, table_of

Basis = Literal["paid", "ex"]
By = Literal["month", "company", "account"]
BY: tuple[By, ...] = ("month", "company", "account")

_ENTRY = table_of(LedgerEntry).c
_LEG = table_of(DividendPayment).c


@dataclass(frozen=True, slots=True)
class IncomeLine:
    """Income of one month, company and account in a currency; what was not asked for to tell apart is None.

    ``kind`` is DIVIDEND, INTEREST or IN_LIEU: what a short seller owes, below zero.
    """

    month: str | None
    symbol: str | None
    account: str | None
    kind: str
    currency: str
    gross: Decimal
    tax: Decimal
    net: Decimal


@dataclass(frozen=True, slots=True)
class IncomeOfMonths:
    """Gross and net of months, in their order."""

    gross: tuple[Decimal, ...]
    net: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class IncomeByMonth:
    """Every month (``2012-11``) from the first with income to the last, and what each currency brought in each."""

    months: tuple[str, ...]
    currencies: dict[str, IncomeOfMonths]


@dataclass(frozen=True, slots=True)
class YearOfIncome:
    """What one kind of income in one currency came to in a year."""

    year: str
    kind: str
    currency: str
    gross: Decimal
    tax: Decimal
    net: Decimal


class _Part(NamedTuple):
    """One entry's part in the income; ``company_id`` is 0 where no company paid it."""

    day: date
    account_id: int
    company_id: int
    kind: str
    currency: str
    gross: Decimal
    tax: Decimal


def load_income(
    database: Database,
    *,
    account: str | None = None,
    first: date | None = None,
    last: date | None = None,
    basis: Basis = "paid",
    by: tuple[By, ...] = BY,
) -> list[IncomeLine]:
    """Income of the range, told apart ``by`` what is asked for; raise UnknownAccountError.

    ``paid`` counts dividends on the day they were paid, ``ex`` on the day they were earned. What was taken back is
    taken off.
    """
    with database.read() as connection:
        names = {facts.id: facts.name for facts in chosen_accounts(connection, account)}
        parts = [
            part
            for group in in_groups(sorted(names))
            for part in _parts(connection, group, basis)
            if (first is None or part.day >= first) and (last is None or part.day <= last)
        ]
        symbols = load_names(connection, sorted({part.company_id for part in parts} - {0}))
    sums: dict[tuple[str, str, str, str, str], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for part in parts:
        symbol = symbols[part.company_id].symbol if part.company_id else ""
        key = (
            f"{part.day:%Y-%m}" if "month" in by else "",
            symbol if "company" in by else "",
            names[part.account_id] if "account" in by else "",
            part.kind,
            part.currency,
        )
        sums[key][0] += part.gross
        sums[key][1] += part.tax
    return [
        IncomeLine(month or None, symbol or None, name or None, kind, currency, gross, tax, gross - tax)
        for (month, symbol, name, kind, currency), (gross, tax) in sorted(sums.items())
        if gross or tax
    ]


def by_month(lines: Sequence[IncomeLine], *, since: date) -> IncomeByMonth:
    """Income told apart by month, from the month of ``since`` on; a month without any is there with zeros."""
    recent = [(line.month, line) for line in lines if line.month is not None and line.month >= f"{since:%Y-%m}"]
    if not recent:
        return IncomeByMonth((), {})
    months = tuple(_months(min(month for month, _ in recent), max(month for month, _ in recent)))
    place = {month: i for i, month in enumerate(months)}
    sums = {line.currency: ([Decimal(0)] * len(months), [Decimal(0)] * len(months)) for _, line in recent}
    for month, line in recent:
        gross, net = sums[line.currency]
        gross[place[month]] += line.gross
        net[place[month]] += line.net
    return IncomeByMonth(
        months, {currency: IncomeOfMonths(tuple(gross), tuple(net)) for currency, (gross, net) in sorted(sums.items())}
    )


def _months(first: str, last: str) -> Iterator[str]:
    year, month = int(first[:4]), int(first[5:])
    while (told := f"{year:04}-{month:02}") <= last:
        yield told
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)


def by_year(lines: Sequence[IncomeLine]) -> list[YearOfIncome]:
    """Income by year, kind and currency, the newest year first."""
    sums: dict[tuple[str, str, str], tuple[Decimal, Decimal]] = {}
    for line in lines:
        key = ((line.month or "")[:4], line.kind, line.currency)
        gross, tax = sums.get(key, (Decimal(0), Decimal(0)))
        sums[key] = (gross + line.gross, tax + line.tax)
    return [YearOfIncome(*key, gross, tax, gross - tax) for key, (gross, tax) in sorted(sums.items(), reverse=True)]


def _parts(connection: Connection, account_ids: Sequence[int], basis: Basis) -> Iterator[_Part]:
    yield from _entered(connection, account_ids, with_legs=basis == "ex")
    if basis == "paid":
        yield from _paid(connection, account_ids)


def _entered(connection: Connection, account_ids: Sequence[int], *, with_legs: bool) -> Iterator[_Part]:
    """What stands as income in the ledger: people's own entries, and with ``with_legs`` what was earned at ex-dates."""
    row = _ENTRY
    query = select(row.value_date, row.account_id, row.company_id, row.name, row.currency, row.amount).where(
        row.account_id.in_(account_ids),
        or_(row.name.startswith(INCOME), row.name.in_((WITHHOLDING_TAX, PAYMENT_IN_LIEU))),
    )
    if not with_legs:
        query = query.where(row.payment_id.is_(None))
    for day, account_id, company_id, name, currency, amount in connection.execute(query):
        kind = _kind(name)
        is_tax = name == WITHHOLDING_TAX
        gross, tax = (Decimal(0), amount) if is_tax else (-amount, Decimal(0))
        yield _Part(day, account_id, company_id or 0, kind, currency, gross, tax)


def _kind(name: str) -> str:
    if name == INTEREST:
        return "INTEREST"
    if name == PAYMENT_IN_LIEU:
        return "IN_LIEU"
    return "DIVIDEND" if name.startswith(DIVIDEND) or name == WITHHOLDING_TAX else name.removeprefix(INCOME).upper()


def _paid(connection: Connection, account_ids: Sequence[int]) -> Iterator[_Part]:
    """What was paid for corporate actions, on the day its cash counts; reversals with the opposite sign."""
    query = (
        select(
            _ENTRY.value_date, _ENTRY.account_id, _LEG.company_id, _LEG.currency, _LEG.gross, _LEG.tax,
            _ENTRY.group_key, _LEG.kind,
        )
        .join(DividendPayment, _LEG.id == _ENTRY.payment_id)
        .where(_ENTRY.account_id.in_(account_ids), _ENTRY.name == CASH, _LEG.leg == Leg.PAYMENT.value)
    )  # fmt: skip
    for day, account_id, company_id, currency, gross, tax, group_key, kind in connection.execute(query):
        # A return of capital is no income.
        if kind == "RETURN_OF_CAPITAL":
            continue
        sign = -1 if group_key.endswith(REVERSAL) else 1
        called = "DIVIDEND" if gross >= 0 else "IN_LIEU"
        yield _Part(day, account_id, company_id, called, currency, sign * gross, sign * tax)
