"""Rounding money in whole numbers: once per corporate action and account, by one named rule."""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction
from functools import cache

from closingbell.domain.money import BIGINT_MAX, MONEY_SCALE, minor_decimals
from closingbell.errors import ValueOutOfRangeError

_MONEY_ONE: int = 10**MONEY_SCALE


class Rounding(StrEnum):
    """How the last digit is decided; HALF_UP rounds half away from zero, so that a long and a short cancel."""

    HALF_UP = "HALF_UP"
    HALF_EVEN = "HALF_EVEN"
    DOWN = "DOWN"


ROUNDINGS = tuple(rounding.value for rounding in Rounding)


def round_ratio(numerator: int, denominator: int, rounding: Rounding) -> int:
    """``numerator`` / ``denominator`` (above zero) as a whole number."""
    quotient, rest = divmod(abs(numerator), denominator)
    if rounding is Rounding.HALF_UP:
        quotient += 2 * rest >= denominator
    elif rounding is Rounding.HALF_EVEN:
        quotient += 2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1)
    return -quotient if numerator < 0 else quotient


def round_fraction(value: Fraction, rounding: Rounding = Rounding.HALF_UP) -> int:
    """``value`` as a whole number."""
    return round_ratio(value.numerator, value.denominator, rounding)


def round_money(amount: Fraction, currency: str, rounding: Rounding = Rounding.HALF_UP) -> int:
    """``amount`` rounded once to the currency's smallest coin, as scaled money; raise ValueOutOfRangeError."""
    scaled = money_of_ratio(amount.numerator, amount.denominator, currency, rounding)
    if not -BIGINT_MAX <= scaled <= BIGINT_MAX:
        raise ValueOutOfRangeError(f"an amount of {scaled.bit_length()} bits is too large to be money")
    return scaled


def money_of_ratio(numerator: int, denominator: int, currency: str, rounding: Rounding) -> int:
    """``numerator`` / ``denominator`` major units in whole minor units of ``currency``, as scaled money."""
    coins, scale = _coins(currency)
    return round_ratio(numerator * coins, denominator, rounding) * scale


@cache
def _coins(currency: str) -> tuple[int, int]:
    """How many of the smallest coin one major unit has, and what one of them is as scaled money."""
    coins: int = 10 ** minor_decimals(currency)
    return coins, _MONEY_ONE // coins
