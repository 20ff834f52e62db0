"""Dividends that their prices, their neighbours or the splits around them speak against."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from closingbell.domain.bars import Bar
from closingbell.domain.corporate_actions import ActionKind, CorporateAction
from closingbell.domain.money import PRICE_SCALE

_MICROS = 10**PRICE_SCALE

# From this share of the price on, the fall of the ex-date can be told from a day's move …
_VISIBLE = 0.08
_VISIBLE_FALL = 0.25
# … and from this one on it must be about the dividend.
_HUGE = 0.25
_HUGE_FALL = 0.5

# A hundred, give or take how much dividends differ from one to the next.
_HUNDRED = (66.0, 150.0)
_NEIGHBOURS = 4
# A dividend says nothing about one that is years away: Apple paid 0.12 in 1995, and next 2.65 in 2012.
_NEIGHBOUR_DAYS = timedelta(days=750)
_FEWEST_NEIGHBOURS = 2
# The fall that a dividend printed a hundred times too small left behind, in parts of what was really paid.
_TRUE_FALL = (0.5, 2.0)

# Repeats: so close in days, so close in amount, and closer than the company ever pays.
_REPEAT_DAYS = 17
_REPEAT_DAYS_ALONE = 7
_REPEAT_WIDTH = 0.08
# One explanation wins when the other's error is so many times larger.
_DECISIVE = 1.5

_SPLIT_WIDTH = 0.1
_SMALLEST_SPLIT = 2.0
# A price so many days before or after the ex-date still says what the share was worth.
_PRICE_DAYS = timedelta(days=7)


class Payout(NamedTuple):
    """A dividend or capital gain; ``is_asked`` when it stands in the answer, not only in what was known before."""

    action: CorporateAction
    amount: float
    is_asked: bool


@dataclass(frozen=True, slots=True)
class PricedLine:
    """Bars with the factor that puts each into the line's one unit."""

    bars: Sequence[Bar]
    scale: Sequence[float]

    def around(self, day: date, split: float) -> _Prices:
        """The prices around an ex-date, in the major unit and the shares of that day."""
        i = bisect_left(self.bars, (day,))
        before = close = low = None
        if i and day - self.bars[i - 1].date <= _PRICE_DAYS:
            before = self.bars[i - 1].close * self.scale[i - 1] / _MICROS / split
        if i < len(self.bars) and self.bars[i].date - day <= _PRICE_DAYS:
            times = self.scale[i] / _MICROS
            close, low = self.bars[i].close * times, self.bars[i].low * times
        return _Prices(before, close, low)


class _Prices(NamedTuple):
    """The close before an ex-date, and the close and low of the ex-date; None where there is no such bar."""

    before: float | None
    close: float | None
    low: float | None

    @property
    def fall(self) -> float | None:
        """How far the close fell."""
        return None if self.before is None or self.close is None else self.before - self.close

    @property
    def deepest_fall(self) -> float | None:
        """How far the price fell at most."""
        return None if self.before is None or self.low is None else self.before - self.low


@dataclass(frozen=True, slots=True)
class _Dividend:
    """A dividend with all that speaks for or against it; ``restated`` is in the newest share units."""

    row: Payout
    restated: float
    split: float
    prices: _Prices
    gain: float

    @property
    def day(self) -> date:
        return self.row.action.ex_date

    @property
    def amount(self) -> float:
        return self.row.amount


def payouts_of(actions: Sequence[CorporateAction], known: Sequence[CorporateAction]) -> list[Payout]:
    """What the answer says was paid, and what was known to be paid in the years around it, by ex-date.

    Of one day's dividends only the answer's count, if it has any.
    """
    rows = [Payout(action, float(action.amount), True) for action in actions if action.amount is not None]
    if not rows or not known:
        return rows
    told = {(row.action.kind, row.action.ex_date) for row in rows}
    first, last = min(row.action.ex_date for row in rows), max(row.action.ex_date for row in rows)
    rows += [
        Payout(action, float(action.amount), False)
        for action in known
        if action.amount is not None
        and (action.kind, action.ex_date) not in told
        and first - _NEIGHBOUR_DAYS <= action.ex_date <= last + _NEIGHBOUR_DAYS
    ]
    return sorted(rows, key=lambda row: row.action.ex_date)


def check_payouts(
    payouts: Sequence[Payout], line: PricedLine, splits: Mapping[date, Fraction]
) -> Iterator[tuple[str, CorporateAction]]:
    """The rule that each dividend of the answer breaks, if it breaks one; ``payouts`` by ex-date."""
    dividends = _dividends(payouts, line, splits)
    repeated = _repeated(dividends)
    for i, dividend in enumerate(dividends):
        if dividend.row.is_asked:
            rule = _broken_rule(dividends, i, is_repeated=i in repeated, splits=splits)
            if rule is not None:
                yield rule, dividend.row.action


def _dividends(payouts: Sequence[Payout], line: PricedLine, splits: Mapping[date, Fraction]) -> list[_Dividend]:
    gains: dict[date, float] = {}
    for row in payouts:
        if row.action.kind is ActionKind.CAPITAL_GAIN:
            gains[row.action.ex_date] = gains.get(row.action.ex_date, 0.0) + row.amount
    dividends = []
    for row in payouts:
        if row.action.kind is ActionKind.DIVIDEND:
            day = row.action.ex_date
            split = float(splits.get(day, 1))
            restated = row.amount
            for ex_date, ratio in splits.items():
                restated /= float(ratio) if ex_date > day else 1
            dividends.append(_Dividend(row, restated, split, line.around(day, split), gains.get(day, 0.0)))
    return dividends


def _broken_rule(
    dividends: Sequence[_Dividend], i: int, *, is_repeated: bool, splits: Mapping[date, Fraction]
) -> str | None:
    """The first rule that a dividend breaks."""
    dividend = dividends[i]
    if dividend.amount <= 0:
        return "dividend_not_positive"
    others = _others(dividends, i)
    if _is_times_100(dividend, others):
        return "dividend_times_100"
    if is_repeated:
        return "dividend_repeated"
    if _is_too_large(dividend):
        return "dividend_too_large"
    if _is_of_other_shares(dividend) or _missed_a_split(dividend, others, splits):
        return "dividend_unsplit"
    return "gain_in_dividend" if _holds_gain(dividend) else None


def _others(dividends: Sequence[_Dividend], i: int) -> list[_Dividend]:
    """The nearest dividends before and after."""
    near = [*dividends[max(0, i - _NEIGHBOURS) : i], *dividends[i + 1 : i + 1 + _NEIGHBOURS]]
    day = dividends[i].day
    return [other for other in near if other.amount > 0 and abs(other.day - day) <= _NEIGHBOUR_DAYS]


def _is_times_100(dividend: _Dividend, others: Sequence[_Dividend]) -> bool:
    """Whether it is a hundred times its neighbours, or a hundredth and the price fell by a hundred times as much."""
    if len(others) < _FEWEST_NEIGHBOURS:
        return False
    ratio = dividend.restated / median(other.restated for other in others)
    if _HUNDRED[0] < ratio < _HUNDRED[1]:
        return True
    fall = dividend.prices.fall
    # Funds do pay a hundredth of what they paid last time: only the fall tells.
    return (
        fall is not None
        and _HUNDRED[0] < 1 / ratio < _HUNDRED[1]
        and _TRUE_FALL[0] < fall / (100 * dividend.amount) < _TRUE_FALL[1]
    )


def _is_too_large(dividend: _Dividend) -> bool:
    """Whether the price would have had to fall visibly, and did not."""
    price = dividend.prices.before or dividend.prices.close
    if price is None or dividend.amount < _VISIBLE * price:
        return False
    is_huge = dividend.amount > _HUGE * price
    fall = dividend.prices.deepest_fall
    if fall is None:
        return is_huge
    return fall < dividend.amount * (_HUGE_FALL if is_huge else _VISIBLE_FALL)


def _is_of_other_shares(dividend: _Dividend) -> bool:
    """Whether, on a split's own day, the fall does not clearly say that the dividend is per new share."""
    fall = dividend.prices.fall
    if dividend.split == 1 or fall is None:
        return False
    per_new, per_old = abs(fall - dividend.amount), abs(fall - dividend.amount / dividend.split)
    return per_new * _DECISIVE > per_old


def _missed_a_split(dividend: _Dividend, others: Sequence[_Dividend], splits: Mapping[date, Fraction]) -> bool:
    """Whether a later split's ratio, and nothing else, lies between a dividend and those on both sides of it."""
    before = [other.restated for other in others if other.day < dividend.day][-1:]
    after = [other.restated for other in others if other.day > dividend.day][:1]
    if not before or not after:
        return False
    for ex_date, ratio in splits.items():
        factor = float(ratio)
        if ex_date > dividend.day and max(factor, 1 / factor) >= _SMALLEST_SPLIT:
            for true in (dividend.restated / factor, dividend.restated * factor):
                if all(abs(true / other - 1) <= _SPLIT_WIDTH for other in (*before, *after)):
                    return True
    return False


def _holds_gain(dividend: _Dividend) -> bool:
    """Whether the price fell by the dividend rather than by the dividend and the capital gain."""
    fall, gain = dividend.prices.fall, dividend.gain
    if not gain or dividend.amount < gain or fall is None:
        return False
    return abs(fall - dividend.amount) < abs(fall - dividend.amount - gain)


def _repeated(dividends: Sequence[_Dividend]) -> set[int]:
    """Indexes of dividends that repeat a neighbour; both of a pair where the prices do not say which."""
    repeated: set[int] = set()
    days = [dividend.day for dividend in dividends]
    for i, (one, other) in enumerate(pairwise(dividends)):
        if _is_pair(one, other) and (other.day - one.day).days < _shortest_gap(days, i):
            repeated |= _doubtful_of_pair(i, one, other)
    return repeated


def _is_pair(one: _Dividend, other: _Dividend) -> bool:
    if min(one.amount, other.amount) <= 0 or (other.day - one.day).days > _REPEAT_DAYS:
        return False
    ratio = max(one.restated, other.restated) / min(one.restated, other.restated)
    return min(abs(ratio - 1), abs(ratio / 100 - 1)) <= _REPEAT_WIDTH


def _shortest_gap(days: Sequence[date], i: int) -> float:
    """Half of the usual gap, that between ``i`` and its follower left out; a week where no other is known."""
    gaps = [(after - before).days for k, (before, after) in enumerate(pairwise(days)) if k != i]
    return median(gaps) / 2 if gaps else _REPEAT_DAYS_ALONE + 0.5


def _doubtful_of_pair(i: int, one: _Dividend, other: _Dividend) -> set[int]:
    """The one that is new where the other was known before; else the one whose price fell less like it; else both."""
    if one.row.is_asked != other.row.is_asked:
        return {i if one.row.is_asked else i + 1}
    if one.prices.fall is None or other.prices.fall is None:
        return {i, i + 1}
    errors = abs(one.prices.fall - one.amount), abs(other.prices.fall - other.amount)
    if max(errors) < _DECISIVE * min(errors):
        return {i, i + 1}
    return {i if errors[0] > errors[1] else i + 1}
