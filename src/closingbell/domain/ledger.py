"""The ledger's accounts, its entries, and what an order books. Amounts are scaled money (4 decimals), exact.

What comes into a ledger account is above zero, what leaves it below; the entries of a group sum to zero in each
currency. A trade is booked at its own price alone: cost and gains follow from all orders of a company and are computed
when read, so that an order that comes late changes no entry of another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from closingbell.domain.money import PRICE_SCALE, QUANTITY_SCALE, from_scaled, plain
from closingbell.domain.rounding import round_money

CASH = "Cash"
RECEIVABLE = "Receivable"
PAYABLE = "Payable"
SECURITIES = "Securities"
CONVERSION = "Conversion"
WITHHOLDING_TAX = "WithholdingTax"
FEE = "Expense:Fee"
TAX = "Expense:Tax"
PAYMENT_IN_LIEU = "Expense:PaymentInLieu"
INTEREST = "Income:Interest"
INCOME = "Income:"
DIVIDEND = "Income:Dividend:"
DEPOSITS = "Equity:Deposits"
TRANSFERS = "Equity:Transfers"
OPENING = "Equity:Opening"
# What ends the key of the group that takes another one back.
REVERSAL = ":reversal"

_PER_UNIT = 10 ** (QUANTITY_SCALE + PRICE_SCALE)
# A user's own entry of what a company paid -> the income it is.
_INCOME_OF = {"DIVIDEND": DIVIDEND + "CASH", "CAPITAL_GAIN": DIVIDEND + "CAP_GAIN"}


class Entry(NamedTuple):
    """One signed amount: ``group_key`` and ``line`` are unique, ``kind`` says what booked it (BUY, ACCRUAL, ...)."""

    value_date: date
    group_key: str
    line: int
    account_id: int
    name: str
    currency: str
    amount: int
    kind: str
    company_id: int | None = None
    order_id: int | None = None
    payment_id: int | None = None


class BookableOrder(NamedTuple):
    """What the ledger needs of an order, as scaled integers."""

    id: int
    account_id: int
    company_id: int | None
    type: str
    trade_date: date
    quantity: int | None
    price: int | None
    amount: int | None
    fee: int
    tax: int
    currency: str
    counter_amount: int | None
    counter_currency: str | None


Posting = tuple[str, str, int]
"""Ledger account, currency, amount."""


def gross_of(order: BookableOrder) -> int:
    """What an order is worth before fees and taxes: its amount, or quantity times price rounded once."""
    if order.amount is not None:
        return order.amount
    if order.quantity is None or order.price is None:
        return 0
    return round_money(Fraction(order.quantity * order.price, _PER_UNIT), order.currency)


def entries_of(order: BookableOrder, *, value_date: date) -> list[Entry]:
    """The group that books ``order``; none for one that moves no money (shares given away without a value)."""
    return numbered(
        f"order:{order.id}",
        _merged(_postings(order)),
        value_date=value_date,
        account_id=order.account_id,
        kind=order.type,
        company_id=order.company_id,
        order_id=order.id,
    )


def numbered(
    group_key: str,
    postings: Iterable[Posting],
    *,
    value_date: date,
    account_id: int,
    kind: str,
    company_id: int | None = None,
    order_id: int | None = None,
    payment_id: int | None = None,
) -> list[Entry]:
    """Postings as the entries of one group, in their order; what is zero is left out."""
    moving = [posting for posting in postings if posting[2]]
    return [
        Entry(value_date, group_key, line, account_id, *posting, kind, company_id, order_id, payment_id)
        for line, posting in enumerate(moving)
    ]


def reversed_entries(entries: Iterable[Entry], *, value_date: date | None = None) -> list[Entry]:
    """The exact negative of ``entries``, on their own value dates unless told otherwise."""
    return [
        entry._replace(
            value_date=value_date or entry.value_date, group_key=entry.group_key + REVERSAL, amount=-entry.amount
        )
        for entry in entries
    ]


def unbalanced(entries: Iterable[Entry]) -> list[str]:
    """One sentence for each group and currency of ``entries`` that does not sum to zero."""
    sums: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        sums[entry.group_key, entry.currency] += entry.amount
    return [
        f"the group {group} is out by {plain(from_scaled(amount, 4))} {currency}"
        for (group, currency), amount in sums.items()
        if amount
    ]


def _postings(order: BookableOrder) -> list[Posting]:
    gross, currency = gross_of(order), order.currency
    own: list[Posting]
    if order.type in ("BUY", "SELL"):
        worth = gross if order.type == "BUY" else -gross
        own = [(CASH, currency, -worth), (SECURITIES, currency, worth)]
    elif order.type in ("TRANSFER_IN", "TRANSFER_OUT", "COST_CHANGE"):
        worth = -gross if order.type == "TRANSFER_OUT" else gross
        own = [(SECURITIES, currency, worth), (TRANSFERS, currency, -worth)]
    elif order.type in ("DEPOSIT", "WITHDRAWAL"):
        moved = gross if order.type == "DEPOSIT" else -gross
        own = [(CASH, currency, moved), (DEPOSITS, currency, -moved)]
    elif order.type in _INCOME_OF:
        # Tax on income is withheld at its source; elsewhere it is an expense.
        own = [(CASH, currency, gross - order.tax), (WITHHOLDING_TAX, currency, order.tax)]
        return [*own, (_INCOME_OF[order.type], currency, -gross), *_charge(FEE, currency, order.fee)]
    elif order.type == "CAPITAL_RETURN":
        own = [(CASH, currency, gross), (SECURITIES, currency, -gross)]
    elif order.type == "INTEREST":
        own = [(CASH, currency, gross), (INTEREST, currency, -gross)]
    elif order.type in ("FEE", "TAX"):
        own = _charge(FEE if order.type == "FEE" else TAX, currency, gross)
    else:
        own = _conversion(order, gross)
    return [*own, *_charge(FEE, currency, order.fee), *_charge(TAX, currency, order.tax)]


def _charge(name: str, currency: str, amount: int) -> list[Posting]:
    return [(CASH, currency, -amount), (name, currency, amount)]


def _conversion(order: BookableOrder, gross: int) -> list[Posting]:
    into, received = order.counter_currency or order.currency, order.counter_amount or 0
    return [
        (CASH, order.currency, -gross),
        (CONVERSION, order.currency, gross),
        (CASH, into, received),
        (CONVERSION, into, -received),
    ]


def _merged(postings: Iterable[Posting]) -> list[Posting]:
    """One posting for each ledger account and currency, in the order of their first mention."""
    sums: dict[tuple[str, str], int] = {}
    for name, currency, amount in postings:
        sums[name, currency] = sums.get((name, currency), 0) + amount
    return [(name, currency, amount) for (name, currency), amount in sums.items()]
