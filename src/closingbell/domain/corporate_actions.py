"""Corporate actions as a provider tells them, in the units of their own day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from closingbell.domain.money import QUANTITY_SCALE


class ActionKind(StrEnum):
    """What a company did to its shareholders."""

    DIVIDEND = "DIVIDEND"
    SPLIT = "SPLIT"
    CAPITAL_GAIN = "CAPITAL_GAIN"


class CorporateAction(NamedTuple):
    """One action: ``amount`` per share as declared (major currency unit), or ``numerator`` new for ``denominator`` old.

    ``printed`` is the provider's own number, which changes with every later split; ``""`` currency for splits.
    """

    kind: ActionKind
    ex_date: date
    amount: Decimal | None
    currency: str
    numerator: int | None
    denominator: int | None
    printed: str

    @property
    def ratio(self) -> Fraction:
        """New shares per old share; only for splits."""
        return Fraction(self.numerator or 1, self.denominator or 1)


_ROUNDINGS = tuple(Decimal(1).scaleb(-places) for places in (2, 3, 4, 5, 6))


def declared_amount(printed: Decimal, factor: Fraction, *, printed_decimals: int = 6) -> Decimal:
    """The amount per share that the company declared, from the split-restated one a provider prints.

    ``factor`` is the product of the splits in the same answer after the ex-date. The fewest decimals (2 to 6) within
    the printed number's own rounding win; factor 1 is left alone.
    """
    if factor == 1:
        return printed
    exact = Fraction(printed) * factor
    tolerance = Fraction(1, 2) * Fraction(1, 10**printed_decimals) * factor
    for step in _ROUNDINGS:
        candidate = Decimal(round(exact / Fraction(step))) * step
        if abs(Fraction(candidate) - exact) <= tolerance:
            return candidate
    return Decimal(round(exact * 10**QUANTITY_SCALE)).scaleb(-QUANTITY_SCALE)


def splits_of(actions: Iterable[CorporateAction]) -> dict[date, Fraction]:
    """New shares per old share by ex-date; two splits on one day multiply."""
    ratios: dict[date, Fraction] = {}
    for action in actions:
        if action.kind is ActionKind.SPLIT:
            ratios[action.ex_date] = ratios.get(action.ex_date, Fraction(1)) * action.ratio
    return ratios
