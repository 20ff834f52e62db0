"""Who is entitled to how much: trades before the ex-date, in the share units of the close before it.

Quantities are whole numbers of 1e-10 shares.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from closingbell.domain.money import QUANTITY_SCALE
from closingbell.domain.rounding import Rounding, round_ratio

ONE_SHARE: int = 10**QUANTITY_SCALE
# Of the smallest quantity.
HALF = Fraction(1, 2)


class FractionPolicy(StrEnum):
    """What becomes of a fraction of a share at a split."""

    KEEP = "KEEP"
    CASH_IN_LIEU = "CASH_IN_LIEU"
    ROUND_UP = "ROUND_UP"
    ROUND_DOWN = "ROUND_DOWN"


FRACTION_POLICIES = tuple(policy.value for policy in FractionPolicy)


class Trade(NamedTuple):
    """Shares that came (above zero) or went on a day."""

    trade_date: date
    quantity: int


class Split(NamedTuple):
    """``numerator`` new shares for ``denominator`` old ones, at the open of the ex-date."""

    ex_date: date
    numerator: int
    denominator: int
    action_id: int = 0


class SplitStep(NamedTuple):
    """What one split did to one position: ``exact`` is what it made of it before the policy decided on a fraction."""

    split: Split
    before: Fraction
    exact: Fraction
    after: Fraction

    @property
    def fraction(self) -> Fraction:
        """What was cut off, in 1e-10 shares: below zero for a short position, and where it was rounded up."""
        return self.exact - self.after


def split_quantity(quantity: int | Fraction, ratio: Fraction, policy: FractionPolicy) -> tuple[Fraction, Fraction]:
    """A position after a split: exactly, and as the policy leaves it; KEEP leaves it exact, so that a:b and b:a cancel.

    Cut off is toward zero, rounded up away from it, for shorts too. Raise ValueError for a ratio that is none.
    """
    if ratio.numerator <= 0:
        raise ValueError(f"a split of {ratio} new shares for each old one cannot be")
    exact = quantity * ratio
    if policy is FractionPolicy.KEEP:
        return exact, exact
    whole = round_ratio(exact.numerator, exact.denominator * ONE_SHARE, Rounding.DOWN)
    if policy is FractionPolicy.ROUND_UP and whole * ONE_SHARE != exact:
        whole += 1 if exact > 0 else -1
    return exact, Fraction(whole * ONE_SHARE)


def left_at_split(exact: int | Fraction, moved: int) -> int | Fraction:
    """What a split finds of a position, which trades have ``moved`` by so much since the split before.

    What they left below half the smallest quantity is nothing: a sale of all shown shares closes the position.
    """
    return 0 if moved and -HALF < exact < HALF else exact


def shown_quantity(exact: int | Fraction) -> int:
    """A position as it is shown and paid for: 10 decimals, half to even."""
    return round_ratio(exact.numerator, exact.denominator, Rounding.HALF_EVEN)


class PositionWalk:
    """Walks the trades and splits of one account in one company in (date, splits first) order."""

    def __init__(self, trades: Iterable[Trade], splits: Sequence[Split], policy: FractionPolicy) -> None:
        self._trades = sorted(trades)
        self._splits = splits
        self._policy = policy
        self._next_trade = 0
        self._next_split = 0
        self._moved = 0
        self.exact: int | Fraction = 0
        self.steps: list[SplitStep] = []

    def advance(self, until: date) -> int:
        """The position at the close before ``until``: trades and splits dated before it, in the units of then.

        Days must come in order.
        """
        splits = self._splits
        while self._next_split < len(splits) and splits[self._next_split].ex_date < until:
            split = splits[self._next_split]
            self._next_split += 1
            self._take_trades(split.ex_date)
            self._take_split(split)
        self._take_trades(until)
        return self.exact if isinstance(self.exact, int) else shown_quantity(self.exact)

    def add(self, trade: Trade) -> None:
        """A trade that the walk itself led to; its day is not walked past yet."""
        insort(self._trades, trade, lo=self._next_trade)

    def _take_trades(self, until: date) -> None:
        trades = self._trades
        while self._next_trade < len(trades) and trades[self._next_trade].trade_date < until:
            self.exact += trades[self._next_trade].quantity
            self._moved += trades[self._next_trade].quantity
            self._next_trade += 1

    def _take_split(self, split: Split) -> None:
        self.exact = left_at_split(self.exact, self._moved)
        self._moved = 0
        if not self.exact:
            return
        before = Fraction(self.exact)
        exact, after = split_quantity(before, Fraction(split.numerator, split.denominator), self._policy)
        self.exact = after.numerator if after.denominator == 1 else after
        self.steps.append(SplitStep(split, before, exact, after))


def entitled_quantity(
    trades: Iterable[Trade], splits: Iterable[Split], ex_date: date, policy: FractionPolicy = FractionPolicy.KEEP
) -> int:
    """How many shares an ex-date counts: those of the close before it. A split of that very day is not applied."""
    return PositionWalk(trades, sorted(splits), policy).advance(ex_date)
