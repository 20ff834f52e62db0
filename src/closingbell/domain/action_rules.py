"""The rules that make a declared amount of a printed one, and tell a change from a glitch; exact rationals only.

Amounts are per share, in the major currency unit unless a rule says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import accumulate, pairwise
from statistics import median

from closingbell.domain.actions import AcceptedKind
from closingbell.domain.corporate_actions import declared_amount
from closingbell.domain.money import QUANTITY_SCALE, major_unit

PRINTED_DECIMALS = 6
# One explanation wins when the other's error is at least so many times larger.
DECISIVE = Fraction(3, 2)
# From this share of the price on, a distribution is large: its ex-date is deferred, or it is a hundredfold error.
LARGE_SHARE = Fraction(1, 4)

DUPLICATE_DAYS = 17
_DUPLICATE_WIDTH = Fraction(8, 100)
_HUNDRED = 100
_USUAL = (Fraction(1, 5), Fraction(5))

_LARGEST_STOCK_DIVIDEND = Fraction(5, 4)
_LARGEST_TERM = 20


# --- What a provider printed, and what was declared.


@dataclass(frozen=True, slots=True)
class Declared:
    """An amount recovered; ``is_snapped`` where rounding changed it, ``is_unsnapped`` where no rounding fits."""

    amount: Decimal
    factor: Fraction
    is_snapped: bool
    is_unsnapped: bool


@dataclass(frozen=True, slots=True)
class DatedRatio:
    """A split as a list has it: new shares per old share from ``ex_date`` on."""

    ex_date: date
    ratio: Fraction


def undo_splits(
    printed: Decimal, *, ex_date: date, as_of: date, splits: Iterable[DatedRatio], decimals: int = PRINTED_DECIMALS
) -> Declared:
    """The declared amount behind one printed on ``as_of``, by the splits in the same answer."""
    factor = math.prod((s.ratio for s in splits if ex_date < s.ex_date <= as_of), start=Fraction(1))
    amount = declared_amount(printed, factor, printed_decimals=decimals)
    exact = Fraction(printed) * factor
    is_off = Fraction(amount) != exact
    tolerance = Fraction(1, 2 * 10**decimals) * factor
    is_short = factor == 1 or round(amount, PRINTED_DECIMALS) == amount
    is_within = abs(Fraction(amount) - exact) <= tolerance
    is_unsnapped = not (is_short and is_within)
    return Declared(amount, factor, is_off and not is_unsnapped, is_unsnapped)


class Verdict(StrEnum):
    """What a provider's row is, beside what is kept already."""

    NO_CHANGE = "NO_CHANGE"
    SPLIT_GLITCH = "SPLIT_GLITCH"
    CORRECTION_CANDIDATE = "CORRECTION_CANDIDATE"


def compare_refetch(
    stored: Decimal, again: Declared, known_splits: Iterable[DatedRatio], *, decimals: int = PRINTED_DECIMALS
) -> Verdict:
    """Whether a row told again says the same, only lacks or repeats a split, or says something else."""
    step = Fraction(1, 2 * 10**decimals)
    tolerance = max(step, step * again.factor)
    if abs(Fraction(stored) - Fraction(again.amount)) <= tolerance:
        return Verdict.NO_CHANGE
    for factor in _split_factors(known_splits):
        for times in (factor, 1 / factor):
            if abs(Fraction(stored) - Fraction(again.amount) * times) <= max(step, tolerance * times):
                return Verdict.SPLIT_GLITCH
    return Verdict.CORRECTION_CANDIDATE


def _split_factors(splits: Iterable[DatedRatio]) -> set[Fraction]:
    """Each split's ratio, and the products of neighbouring ones: feeds lack or repeat several at a time."""
    by_date = {(split.ex_date, split.ratio) for split in splits}
    ratios = [ratio for _, ratio in sorted(by_date)]
    products = (accumulate(ratios[start:], lambda left, right: left * right) for start in range(len(ratios)))
    return {product for of_start in products for product in of_start} - {Fraction(1)}


# --- Splits.


@dataclass(frozen=True, slots=True)
class SplitClass:
    """What a split row is taken for; only ``is_sure`` ones change quantities by themselves."""

    kind: AcceptedKind
    is_sure: bool


def classify_split(numerator: int, denominator: int) -> SplitClass:
    """Split, reverse split, stock dividend, or something with a spin-off's odd ratio; raise ValueError for none."""
    if numerator <= 0 or denominator <= 0:
        raise ValueError(f"a split of {numerator}:{denominator}")
    ratio = Fraction(numerator, denominator)
    new, old = ratio.numerator, ratio.denominator
    if 1 < ratio <= _LARGEST_STOCK_DIVIDEND and (new - old) * 200 % old == 0:
        return SplitClass(AcceptedKind.STOCK_DIVIDEND, is_sure=False)
    if old == 1 or new == 1 or max(new, old) <= _LARGEST_TERM:
        return SplitClass(AcceptedKind.SPLIT if new >= old else AcceptedKind.REVERSE_SPLIT, is_sure=True)
    return SplitClass(AcceptedKind.SPIN_OFF, is_sure=False)


class Basis(StrEnum):
    """Which shares an amount of a split's own day is for."""

    PRE_SPLIT = "PRE_SPLIT"
    POST_SPLIT = "POST_SPLIT"
    HELD = "HELD"


def same_day_split(
    printed: Decimal, ratio: Fraction, *, prev_close: Decimal, close: Decimal
) -> tuple[Basis, Decimal | None]:
    """Whether a dividend of a split's ex-date is per old or per new share, and its amount per old share.

    Both closes are in new shares. The explanation whose error is clearly smaller wins; None where neither is.
    """
    fall = Fraction(prev_close) - Fraction(close)
    per_old, per_new = abs(fall - Fraction(printed) / ratio), abs(fall - Fraction(printed))
    if per_new >= DECISIVE * per_old:
        return Basis.PRE_SPLIT, printed
    if per_old >= DECISIVE * per_new:
        return Basis.POST_SPLIT, _as_decimal(Fraction(printed) * ratio)
    return Basis.HELD, None


# --- Rows that repeat each other.


@dataclass(frozen=True, slots=True)
class PricedRow:
    """A dividend with the closes before and of its ex-date; None where there is no such close."""

    ex_date: date
    amount: Decimal
    prev_close: Decimal | None = None
    close: Decimal | None = None

    @property
    def error(self) -> Fraction | None:
        """How far the fall of the ex-date is from the amount."""
        if self.prev_close is None or self.close is None:
            return None
        return abs(Fraction(self.prev_close) - Fraction(self.close) - Fraction(self.amount))

    @property
    def is_small(self) -> bool:
        """Whether the amount is less than a quarter of the price; unknown prices say nothing against it."""
        return not is_large(self.amount, self.prev_close)


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Whether two rows are one dividend, which one to ``keep``, and whether that is sure."""

    is_duplicate: bool
    keep: date | None = None
    is_decisive: bool = False


def dedupe(
    one: PricedRow, other: PricedRow, *, typical_gap_days: Fraction | int | None = None, booked: date | None = None
) -> Duplicate:
    """Whether two rows of one type are the same dividend told twice."""
    gap = abs((one.ex_date - other.ex_date).days)
    is_hundred = _is_hundredfold(one.amount, other.amount)
    is_close = gap <= DUPLICATE_DAYS and (is_hundred or is_same_amount(one.amount, other.amount))
    if not is_close or (typical_gap_days is not None and gap >= Fraction(typical_gap_days) / 2):
        return Duplicate(is_duplicate=False)
    if booked in {one.ex_date, other.ex_date}:
        return Duplicate(True, booked, is_decisive=True)
    if is_hundred and one.is_small != other.is_small:
        return Duplicate(True, one.ex_date if one.is_small else other.ex_date, is_decisive=True)
    return _by_fall(one, other)


def _by_fall(one: PricedRow, other: PricedRow) -> Duplicate:
    """The row whose fall is closer to its amount."""
    if one.error is None or other.error is None:
        return Duplicate(True)
    kept, left = sorted((one, other), key=lambda row: (row.error, row.ex_date))
    assert kept.error is not None and left.error is not None
    is_decisive = left.error >= DECISIVE * kept.error and left.error != kept.error
    return Duplicate(True, kept.ex_date, is_decisive)


def is_same_amount(one: Decimal, other: Decimal) -> bool:
    """Whether two amounts differ by no more than 8 %."""
    return abs(_ratio(one, other) - 1) <= _DUPLICATE_WIDTH


def _is_hundredfold(one: Decimal, other: Decimal) -> bool:
    return abs(_ratio(one, other) / _HUNDRED - 1) <= _DUPLICATE_WIDTH


def _ratio(one: Decimal, other: Decimal) -> Fraction:
    low, high = sorted((Fraction(one), Fraction(other)))
    return high / low if low > 0 else Fraction(0)


# --- Amounts against prices.


def is_large(amount: Decimal, prev_close: Decimal | None) -> bool:
    """Whether a distribution is a quarter of the price or more."""
    return prev_close is not None and prev_close > 0 and Fraction(amount) / Fraction(prev_close) >= LARGE_SHARE


def has_due_bills(ex_date: date, pay_date: date | None) -> bool:
    """Whether the ex-date was deferred past the pay date: until then shares trade with a bill for the money."""
    return pay_date is not None and ex_date > pay_date


class UnitFlag(StrEnum):
    """Whether an amount is in the unit that it should be in."""

    OK = "OK"
    UNIT_REPAIRED = "UNIT_REPAIRED"
    HELD = "HELD"


def normalise_unit(
    amount: Decimal, quote_unit: str, *, prev_close: Decimal | None, trailing_median: Decimal | None = None
) -> tuple[Decimal, str, UnitFlag]:
    """An amount in the major unit with its currency; ``amount`` and ``prev_close`` are in ``quote_unit``.

    ``trailing_median`` of what was paid last is in the major unit. A hundredfold error is repaired where exactly one
    repair agrees with price and median.
    """
    currency, divisor = major_unit(quote_unit)
    major = _as_decimal(Fraction(amount) / divisor)
    price = None if prev_close is None else Fraction(prev_close) / divisor
    if _is_usual(Fraction(major), price, trailing_median):
        return major, currency, UnitFlag.OK
    if trailing_median is not None:
        tries = (Fraction(major) / _HUNDRED, Fraction(major) * _HUNDRED)
        passing = [value for value in tries if _is_usual(value, price, trailing_median)]
        if len(passing) == 1:
            return _as_decimal(passing[0]), currency, UnitFlag.UNIT_REPAIRED
    return major, currency, UnitFlag.HELD


def _is_usual(amount: Fraction, price: Fraction | None, trailing_median: Decimal | None) -> bool:
    if amount <= 0 or (price is not None and not amount < LARGE_SHARE * price):
        return False
    if trailing_median is None or trailing_median <= 0:
        return True
    return _USUAL[0] <= amount / Fraction(trailing_median) <= _USUAL[1]


@dataclass(frozen=True, slots=True)
class FundDistribution:
    """What a fund paid of its income and of its gains; ``is_double`` when the dividend held the gain too."""

    is_double: bool
    income: Decimal
    capital_gain: Decimal


def fund_distribution(
    dividend: Decimal, capital_gain: Decimal, *, prev_close: Decimal | None, close: Decimal | None
) -> FundDistribution | None:
    """Take the capital gain out of a dividend that holds it, by the fall of the price; None without prices."""
    if prev_close is None or close is None:
        return None
    fall = Fraction(prev_close) - Fraction(close)
    alone, both = Fraction(dividend), Fraction(dividend) + Fraction(capital_gain)
    is_double = dividend >= capital_gain and abs(fall - alone) < abs(fall - both)
    return FundDistribution(is_double, dividend - capital_gain if is_double else dividend, capital_gain)


# --- Small things.


def calendar_date(epoch_s: int) -> date:
    """The date of a midnight in UTC, which is how Yahoo's calendar writes ex-dates and pay dates."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=epoch_s)).date()


def typical_gap(ex_dates: Sequence[date]) -> Fraction | None:
    """The median of the days between neighbouring ex-dates; None for fewer than two."""
    days = sorted(set(ex_dates))
    gaps = [Fraction((after - before).days) for before, after in pairwise(days)]
    return median(gaps) if gaps else None


def median_amount(amounts: Sequence[Decimal]) -> Decimal | None:
    """The median of what was paid; None where nothing was."""
    return median(amounts) if amounts else None


def _as_decimal(value: Fraction) -> Decimal:
    """Exact where the decimals end, else with ten of them."""
    scaled = value * 10**QUANTITY_SCALE
    if scaled.denominator == 1:
        return Decimal(scaled.numerator).scaleb(-QUANTITY_SCALE).normalize()
    return Decimal(round(scaled)).scaleb(-QUANTITY_SCALE)
