"""What one entitlement is worth: gross, tax and net, in the dividend's currency and in the account's.

Money is whole 1e-4 units, quantities, amounts per share and rates are whole 1e-10 ones; each result is rounded once.
"""

from __future__ import annotations

from typing import NamedTuple

from closingbell.domain.money import MONEY_SCALE, PRICE_SCALE, QUANTITY_SCALE
from closingbell.domain.rounding import Rounding, money_of_ratio

RATE_ONE: int = 10**QUANTITY_SCALE
_QUANTITY_TIMES_AMOUNT = 10 ** (2 * QUANTITY_SCALE)
_MONEY_TIMES_RATE = 10 ** (MONEY_SCALE + QUANTITY_SCALE)
_QUANTITY_TIMES_PRICE = 10 ** (QUANTITY_SCALE + PRICE_SCALE)


class Amounts(NamedTuple):
    """What is owed, what is kept back of it, and the rest; below zero for a short position, which pays it."""

    gross: int
    tax: int
    net: int


def dividend_amounts(quantity: int, amount: int, currency: str, tax_rate: int, rounding: Rounding) -> Amounts:
    """``quantity`` shares times ``amount`` per share; nothing is kept back of what a short position pays."""
    gross = money_of_ratio(quantity * amount, _QUANTITY_TIMES_AMOUNT, currency, rounding)
    tax = money_of_ratio(gross * tax_rate, _MONEY_TIMES_RATE, currency, rounding) if gross > 0 and tax_rate else 0
    return Amounts(gross, tax, gross - tax)


def converted(amounts: Amounts, rate: int, currency: str, rounding: Rounding) -> Amounts:
    """The same in ``currency`` at ``rate``: gross and tax rounded, net their difference, as in the first currency."""
    gross = money_of_ratio(amounts.gross * rate, _MONEY_TIMES_RATE, currency, rounding)
    tax = money_of_ratio(amounts.tax * rate, _MONEY_TIMES_RATE, currency, rounding)
    return Amounts(gross, tax, gross - tax)


class Reinvested(NamedTuple):
    """Shares bought for a net dividend, what they cost, and what stays cash."""

    shares: int
    cost: int
    residual: int


def reinvest(net: int, price: int, *, decimals: int, currency: str, rounding: Rounding) -> Reinvested:
    """As many shares as ``net`` buys at ``price``, cut off after ``decimals``; the rest stays cash."""
    if net <= 0 or price <= 0:
        return Reinvested(0, 0, net)
    step: int = 10 ** (QUANTITY_SCALE - decimals)
    wanted = net * 10 ** (QUANTITY_SCALE + PRICE_SCALE - MONEY_SCALE) // price
    shares = wanted // step * step
    cost = money_of_ratio(shares * price, _QUANTITY_TIMES_PRICE, currency, rounding)
    return Reinvested(shares, cost, net - cost)
