"""What the readers share in making entries: cash, and trades whose settled total is the truth."""

from __future__ import annotations

from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from closingbell.domain.money import MONEY_SCALE, PRICE_SCALE, QUANTITY_SCALE
from closingbell.domain.orders import CASH_MOVES
from closingbell.usecases.imports.entries import BUY, SELL, Entry, RowError, Security, shown
from closingbell.usecases.imports.values import as_money, fitting

_NOTE_LIMIT = 200
_MONEY_STEP = Decimal(1).scaleb(-MONEY_SCALE)
_QUANTITY_STEP = Decimal(1).scaleb(-QUANTITY_SCALE)
_PRICE_STEP = Decimal(1).scaleb(-PRICE_SCALE)


def broker_amount(value: Decimal, *, what: str) -> Decimal:
    """An amount that must be above zero and fit."""
    if value <= 0:
        raise RowError(f"{what} must be above zero, it is {value:f}")
    return as_money(value, what=what)


def cash(
    line: int,
    kind: str,
    day: date,
    amount: Decimal,
    currency: str,
    *,
    note: str = "",
    broker_key: str | None = None,
    executed_at: datetime | None = None,
    security: Security | None = None,
) -> Entry:
    """An entry that moves cash alone; a deposit or withdrawal must be above zero, no other may be zero."""
    if kind in CASH_MOVES:
        broker_amount(amount, what="the amount")
    elif amount == 0:
        raise RowError("the amount is zero")
    return Entry(
        (line,),
        kind,
        day,
        currency,
        security=security,
        amount=as_money(amount, what="the amount"),
        note=as_note(note),
        broker_key=broker_key,
        executed_at=executed_at,
    )


def as_note(text: str) -> str:
    """A note that fits its column."""
    return shown(text)[:_NOTE_LIMIT]


def as_quantity(value: Decimal | None, *, what: str = "number of shares") -> Decimal:
    """Shares, whichever way they go; raise RowError for none."""
    if not value:
        raise RowError(f"{what} is missing or zero")
    return fitting(abs(value), QUANTITY_SCALE, what=what)


def to_quantity(value: Decimal) -> Decimal:
    """Shares with the decimals that are kept, where a program states more of them."""
    if abs(value) >= Decimal(10) ** 12:
        raise RowError(f"number of shares {value:f} is too large")
    with localcontext() as context:
        context.prec = 50
        return value.quantize(_QUANTITY_STEP, ROUND_HALF_EVEN) if value % _QUANTITY_STEP else value


def settled_trade(
    *,
    line: int,
    kind: str,
    trade_date: date,
    security: Security,
    quantity: Decimal,
    total: Decimal,
    currency: str,
    fee: Decimal = Decimal(0),
    tax: Decimal = Decimal(0),
    stated_price: Decimal | None = None,
    stated_currency: str = "",
    executed_at: datetime | None = None,
    broker_key: str | None = None,
    note: str = "",
) -> Entry:
    """A trade whose ``total`` is what the cash account paid or got, fee and tax in it.

    Its price is the stated one where that is in the currency of the total, else what the total comes to per share;
    ``amount`` keeps the exact sum either way.
    """
    if kind == BUY and quantity < 0:
        raise RowError(f"a purchase of {quantity.normalize():f} shares: is it one, or a sale?")
    shares = as_quantity(quantity)
    amount = total + fee + tax if kind == SELL else total - fee - tax
    broker_amount(amount, what="the total without fees")
    if stated_price is not None and stated_currency == currency:
        price = rounded_price(stated_price)
    else:
        price = price_of(amount, shares)
        if stated_price is not None and stated_currency:
            note = f"{stated_price.normalize():f} {stated_currency} per share"
    return Entry(
        (line,),
        kind,
        trade_date,
        currency,
        security=security,
        quantity=shares,
        price=price,
        amount=amount,
        fee=as_money(fee, what="fee"),
        tax=as_money(tax, what="tax"),
        executed_at=executed_at,
        broker_key=broker_key,
        note=as_note(note),
    )


def price_of(amount: Decimal, shares: Decimal) -> Decimal:
    """The price per share, to the decimals that are kept; the amount stays exact beside it."""
    with localcontext() as context:
        context.prec = 50
        return rounded_price(amount / shares)


def to_money(value: Decimal, *, what: str) -> Decimal:
    """An amount with the decimals that money is kept in, where a program states more."""
    if abs(value) >= Decimal(10) ** 15:
        raise RowError(f"{what} {value:f} is too large")
    with localcontext() as context:
        context.prec = 50
        return as_money(value.quantize(_MONEY_STEP, ROUND_HALF_EVEN), what=what)


def rounded_price(price: Decimal) -> Decimal:
    """A price with the decimals that are kept."""
    if price < 0:
        raise RowError(f"price must not be negative, it is {price:f}")
    if price >= Decimal(10) ** 12:
        raise RowError(f"price {price:f} is too large")
    with localcontext() as context:
        context.prec = 50
        return price.quantize(_PRICE_STEP, ROUND_HALF_EVEN)
