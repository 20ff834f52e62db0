"""What shares are worth: a quantity and a close of one day are in the same share units, whatever was split later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction

from closingbell.domain.money import MONEY_SCALE, PRICE_SCALE, QUANTITY_SCALE, from_scaled
from closingbell.domain.rounding import round_money

_PER_UNIT = 10 ** (QUANTITY_SCALE + PRICE_SCALE)


def worth(quantity: int, price: int, currency: str) -> Decimal:
    """Scaled shares times a scaled price, rounded once to the currency's coin."""
    return money(round_money(Fraction(quantity * price, _PER_UNIT), currency))


def price_in_units_of(on: date, *, price: int, traded_on: date, splits: Mapping[date, Fraction]) -> int:
    """A close of ``traded_on`` in the share units of ``on``: a split since then makes it a part of what it was."""
    ratio = Fraction(1)
    for ex_date, new_per_old in splits.items():
        if traded_on < ex_date <= on:
            ratio *= new_per_old
    return round(Fraction(price) / ratio)


def converted(amount: Decimal, rate: Decimal, currency: str) -> Decimal:
    """An amount at a rate, rounded once to the coin of ``currency``."""
    return money(round_money(Fraction(amount) * Fraction(rate), currency))


def money(scaled: int) -> Decimal:
    """Scaled money as a Decimal."""
    return from_scaled(scaled, MONEY_SCALE)
