"""Orders: what kinds there are, which ones bring or take shares, and what a sane one looks like."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from closingbell.domain.money import MONEY_SCALE, PRICE_SCALE, QUANTITY_SCALE, plain, to_scaled
from closingbell.errors import ValueOutOfRangeError


class OrderType(StrEnum):
    """What an order did. Amounts of INTEREST, FEE and TAX may be below zero: charged, refunded."""

    BUY = "BUY"
    SELL = "SELL"
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    TRANSFER_IN = "TRANSFER_IN"
    TRANSFER_OUT = "TRANSFER_OUT"
    DIVIDEND = "DIVIDEND"
    CAPITAL_GAIN = "CAPITAL_GAIN"
    CAPITAL_RETURN = "CAPITAL_RETURN"
    INTEREST = "INTEREST"
    FEE = "FEE"
    TAX = "TAX"
    CONVERSION = "CONVERSION"
    COST_CHANGE = "COST_CHANGE"


# Bring or take shares.
INCOMING = ("BUY", "TRANSFER_IN")
OUTGOING = ("SELL", "TRANSFER_OUT")
SHARE_MOVES = INCOMING + OUTGOING
TRADES = ("BUY", "SELL")
# What a company pays, entered by a person or by a statement.
COMPANY_INCOME = ("DIVIDEND", "CAPITAL_GAIN", "CAPITAL_RETURN")
# About one company; all others are about cash alone, though INTEREST, FEE and TAX may name one.
COMPANY_TYPES = (*SHARE_MOVES, *COMPANY_INCOME, "COST_CHANGE")
CASH_MOVES = ("DEPOSIT", "WITHDRAWAL")
# May be below zero: the opposite of what the word says.
SIGNED = ("INTEREST", "FEE", "TAX", "COST_CHANGE")

_MAY_NAME_A_COMPANY = ("INTEREST", "FEE", "TAX")
# Before this nothing is kept: no recorded price, no calendar, and most likely a typing error.
FIRST_DATE = date(1950, 1, 1)
SYMBOL = re.compile(r"[A-Z0-9^][A-Z0-9.^=-]{0,31}")
_CURRENCY = re.compile(r"[A-Z]{3}")
# The numbers of an order, and how many decimals each is kept with.
SCALES = {
    "quantity": QUANTITY_SCALE, "price": PRICE_SCALE, "amount": MONEY_SCALE, "fee": MONEY_SCALE, "tax": MONEY_SCALE,
    "counter_amount": MONEY_SCALE,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDraft:
    """An order as somebody wants to enter it. See ``closingbell.models.Order`` for what each number means."""

    type: str
    trade_date: date
    currency: str
    symbol: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    amount: Decimal | None = None
    fee: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    counter_amount: Decimal | None = None
    counter_currency: str | None = None
    executed_at: datetime | None = None
    note: str | None = None


def check_draft(draft: OrderDraft, *, today: date) -> list[str]:
    """What is wrong with an order by itself, one sentence each; nothing for a sane one."""
    if draft.type not in OrderType.__members__:
        return [f"type {draft.type!r} is not one of {', '.join(OrderType)}"]
    unusable = list(check_ranges(draft))
    # A number that is none, or has no end, cannot be compared with anything.
    rest = [] if unusable else [*_check_signs(draft), *_check_kind(draft)]
    return [*_check_frame(draft, today), *unusable, *rest]


def check_date(trade_date: date, *, today: date) -> Iterator[str]:
    """What is wrong with the day of an order: not yet come, or before anything is kept."""
    if trade_date > today:
        yield f"the date {trade_date} lies in the future"
    if trade_date < FIRST_DATE:
        yield f"the date {trade_date} lies before {FIRST_DATE}"


def check_ranges(order: object) -> Iterator[str]:
    """The numbers of an order, by the names in ``SCALES``, that no column could hold."""
    for name, scale in SCALES.items():
        value: Decimal | None = getattr(order, name)
        if value is None:
            continue
        try:
            to_scaled(value, scale)
        except ValueOutOfRangeError as error:
            yield f"{name.replace('_', ' ')}: {error}"


def _check_frame(draft: OrderDraft, today: date) -> Iterator[str]:
    yield from check_date(draft.trade_date, today=today)
    for name, code in (("currency", draft.currency), ("counter currency", draft.counter_currency or draft.currency)):
        if not _CURRENCY.fullmatch(code):
            yield f"{name} {code!r} is not three letters, as in USD"
    if draft.symbol is not None and not SYMBOL.fullmatch(draft.symbol):
        yield f"symbol {draft.symbol!r} is not a symbol, as in AAPL or VOD.L"
    if draft.symbol is None and draft.type in COMPANY_TYPES:
        yield f"a {draft.type} is about a company: name its symbol"
    if draft.symbol is not None and draft.type not in (*COMPANY_TYPES, *_MAY_NAME_A_COMPANY):
        yield f"a {draft.type} moves cash: leave the symbol out"


def _check_signs(draft: OrderDraft) -> Iterator[str]:
    for name in ("fee", "tax", "price"):
        value = getattr(draft, name)
        if value is not None and value < 0:
            yield f"{name} must not be negative, and is {plain(value)}"


def _check_kind(draft: OrderDraft) -> Iterator[str]:
    moves_shares, pays = draft.type in SHARE_MOVES, draft.type in COMPANY_INCOME
    if moves_shares and (draft.quantity is None or draft.quantity <= 0):
        yield "quantity must be above zero; the type says whether shares come or go"
    if not moves_shares and not pays and (draft.quantity is not None or draft.price is not None):
        yield f"a {draft.type} has an amount, and neither quantity nor price"
    if draft.type in TRADES and draft.price is None and draft.amount is None:
        yield "name the price of a share, or the amount of all"
    if not moves_shares and draft.amount is None and (not pays or None in (draft.quantity, draft.price)):
        yield "name the amount"
    if draft.amount is not None:
        if draft.type in SIGNED and not draft.amount:
            yield "the amount must not be zero"
        if draft.type not in SIGNED and draft.amount <= 0 and not (moves_shares and draft.amount == 0):
            yield "the amount must be above zero; the type says whether cash comes or goes"
    if draft.type == OrderType.CONVERSION:
        if (
            draft.counter_amount is None
            or draft.counter_amount <= 0
            or draft.counter_currency in (None, draft.currency)
        ):
            yield "a CONVERSION gives the amount for a counter amount above zero in another currency"
    elif draft.counter_amount is not None or draft.counter_currency is not None:
        yield "only a CONVERSION has a counter amount"
