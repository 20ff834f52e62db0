"""What splits and spin-offs do to a position's shares and cost basis.

Quantities are whole 1e-10 shares, money whole 1e-4 units, prices whole 1e-6 units.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from closingbell.domain.entitlements import FractionPolicy, shown_quantity, split_quantity
from closingbell.domain.money import MONEY_SCALE, PRICE_SCALE, QUANTITY_SCALE
from closingbell.domain.rounding import Rounding, money_of_ratio

_QUANTITY_TIMES_PRICE = 10 ** (QUANTITY_SCALE + PRICE_SCALE)
_MONEY_ONE = 10**MONEY_SCALE
# A percentage in whole 1e-10 of a percent.
_PERCENT = 100 * 10**QUANTITY_SCALE


class SharesAfter(NamedTuple):
    """A position after a split: the fraction paid in cash is a sale, with its share of the basis and its gain."""

    quantity: int
    fraction: Fraction
    cash: int
    basis_of_fraction: int
    basis: int

    @property
    def gain(self) -> int:
        """What the fraction brought over what it had cost."""
        return self.cash - self.basis_of_fraction


class SpunOff(NamedTuple):
    """What a spin-off leaves: the parent's basis, and the child's shares with theirs."""

    parent_basis: int
    child_basis: int
    child: SharesAfter


def split_position(
    quantity: int,
    basis: int,
    ratio: Fraction,
    policy: FractionPolicy,
    *,
    price: int = 0,
    currency: str = "USD",
    rounding: Rounding = Rounding.HALF_UP,
) -> SharesAfter:
    """``quantity`` shares that cost ``basis``, after ``ratio`` new for each old; ``price`` is paid for a fraction."""
    exact, after = split_quantity(quantity, ratio, policy)
    fraction = exact - after
    if policy is not FractionPolicy.CASH_IN_LIEU or not fraction:
        return SharesAfter(shown_quantity(after), Fraction(0), 0, 0, basis)
    cash = cash_in_lieu(fraction, price, currency=currency, rounding=rounding)
    share = basis * fraction / exact
    of_fraction = money_of_ratio(share.numerator, share.denominator * _MONEY_ONE, currency, rounding)
    return SharesAfter(shown_quantity(after), fraction, cash, of_fraction, basis - of_fraction)


def cash_in_lieu(fraction: Fraction, price: int, *, currency: str, rounding: Rounding) -> int:
    """What ``fraction`` (in 1e-10 shares) is worth at ``price``; a short position pays it."""
    worth = fraction * price
    return money_of_ratio(worth.numerator, worth.denominator * _QUANTITY_TIMES_PRICE, currency, rounding)


def spin_off(
    parent_quantity: int,
    parent_basis: int,
    ratio: Fraction,
    parent_percent: int,
    policy: FractionPolicy,
    *,
    price: int = 0,
    currency: str = "USD",
    rounding: Rounding = Rounding.HALF_UP,
) -> SpunOff:
    """``ratio`` shares of a child for each of the parent's, which keeps ``parent_percent`` (1e-10) of its basis."""
    kept = money_of_ratio(parent_basis * parent_percent, _PERCENT * _MONEY_ONE, currency, rounding)
    given = parent_basis - kept
    child = split_position(parent_quantity, given, ratio, policy, price=price, currency=currency, rounding=rounding)
    return SpunOff(kept, given, child)
