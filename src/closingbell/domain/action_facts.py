"""From a provider's row to the facts of an action, or the doubt that makes it wait for a person or for a close."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from closingbell.domain.action_rules import (
    DECISIVE,
    PricedRow,
    UnitFlag,
    classify_split,
    fund_distribution,
    has_due_bills,
    is_large,
    median_amount,
    normalise_unit,
    same_day_split,
)
from closingbell.domain.actions import AcceptedAction, AcceptedKind, Facts
from closingbell.domain.bars import Bar
from closingbell.domain.corporate_actions import ActionKind, CorporateAction
from closingbell.domain.money import PRICE_SCALE, from_scaled, plain
from closingbell.domain.series_checks import SERIES_RULES

HOLD_SENTENCES: dict[str, str] = {
    "NOT_POSITIVE": "the amount is zero or less",
    "LARGE_25PCT": "it is a quarter of the price or more: a deferred ex-date, or a hundredfold error",
    "SPIN_OFF_SUSPECT": "no split has such a ratio: it looks like a spin-off",
    "STOCK_DIVIDEND": "it looks like a stock dividend: say whether it is one",
    "SPLIT_SAME_DAY": "a split has the same ex-date, and the price does not say which shares the amount is for",
    "FUND_NO_PRICES": "a capital gain has the same ex-date, and no price says whether it is counted twice",
    "UNIT_DOUBTFUL": "the amount does not fit the price or what was paid before: it may be in another unit",
    "DUPLICATE": "nearly the same dividend stands a few days away, and the price does not say which one is right",
    "SECOND_ON_DAY": "another dividend has the same ex-date: say whether both were paid",
    "EX_DATE_DOUBTFUL": "the ex-date is a session away from the record date's, and somebody traded in between",
    "VANISHED": "the provider told of it and does so no longer",
    "TIMES_100": SERIES_RULES["dividend_times_100"],
    "TOO_LARGE": SERIES_RULES["dividend_too_large"],
    "UNSPLIT": SERIES_RULES["dividend_unsplit"],
}
# The doubts of the checks over a whole series that no rule here decides.
DOUBTS = {"dividend_times_100": "TIMES_100", "dividend_too_large": "TOO_LARGE", "dividend_unsplit": "UNSPLIT"}
# The doubts about a dividend that its amount and the prices around it decide, not its neighbours.
AMOUNT_HOLDS = frozenset(
    {"NOT_POSITIVE", "LARGE_25PCT", "SPLIT_SAME_DAY", "FUND_NO_PRICES", "UNIT_DOUBTFUL", *DOUBTS.values()}
)

_GAIN = ActionKind.CAPITAL_GAIN
# From this share of the price on, the fall of the ex-date says something of the amount.
_VISIBLE = Fraction(8, 100)
_TRAILING = 4
# Six are printed, and pence have two more as pounds.
_SHORT_DECIMALS = 8
# What was paid longer ago says nothing about what is paid now.
_TRAILING_DAYS = timedelta(days=750)
# A price so many days away still says what a share was worth.
_PRICE_DAYS = timedelta(days=7)


class Closes(NamedTuple):
    """The closes before and of an ex-date, in the major unit and the shares of the ex-date; None where unknown."""

    before: Decimal | None
    on: Decimal | None


@dataclass(frozen=True, slots=True)
class PriceLine:
    """Bars as traded, ascending; ``newest`` is the last session that has closed, ``splits`` restate what is before."""

    bars: Sequence[Bar]
    newest: date
    splits: Mapping[date, Fraction]
    currency: str

    def around(self, ex_date: date) -> Closes:
        """The closes around an ex-date."""
        i = bisect_left(self.bars, (ex_date,))
        before = on = None
        if i and ex_date - self.bars[i - 1].date <= _PRICE_DAYS:
            ratio = self._between(self.bars[i - 1].date, ex_date)
            before = _in_new_shares(from_scaled(self.bars[i - 1].close, PRICE_SCALE), ratio)
        if i < len(self.bars) and self.bars[i].date - ex_date <= _PRICE_DAYS:
            on = from_scaled(self.bars[i].close, PRICE_SCALE)
        return Closes(before, on)

    def is_to_come(self, ex_date: date) -> bool:
        """Whether the ex-date's close cannot be there yet."""
        return ex_date > self.newest

    def restate(self, amount: Decimal, paid_on: date, ex_date: date) -> Decimal:
        """An amount per share of one day in the shares of a later one."""
        return _in_new_shares(amount, self._between(paid_on, ex_date - timedelta(days=1)))

    def _between(self, after: date, until: date) -> Fraction:
        """New shares per old share of the splits after one day up to another."""
        ratio = Fraction(1)
        for day, of_day in self.splits.items():
            ratio *= of_day if after < day <= until else 1
        return ratio


@dataclass(frozen=True, slots=True)
class Derived:
    """What a row becomes: facts, and perhaps the code of what makes it wait for a person.

    ``is_waiting`` for a close instead; ``is_nothing`` where nothing is left of it; ``note`` tells what was done to it.
    """

    facts: Facts
    hold: str | None = None
    is_waiting: bool = False
    is_nothing: bool = False
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What speaks for or against a row: prices, what else the answer tells, what was paid before."""

    prices: PriceLine
    rows: Sequence[CorporateAction]
    known: Sequence[AcceptedAction]
    is_us: bool
    doubts: Mapping[tuple[ActionKind, date], str]


def derive(row: CorporateAction, around: Surroundings, *, pay_date: date | None = None) -> Derived:
    """The facts that a provider's row tells, with what is doubtful about them."""
    if row.kind is ActionKind.SPLIT:
        return _derive_split(row)
    facts = Facts(
        kind=AcceptedKind.CASH if row.kind is ActionKind.DIVIDEND else AcceptedKind.CAP_GAIN,
        ex_date=row.ex_date,
        currency=row.currency,
        amount=row.amount,
    )
    if row.amount is None or row.amount <= 0:
        return Derived(facts, "NOT_POSITIVE")
    if facts.kind is AcceptedKind.CAP_GAIN:
        return Derived(facts)
    return _derive_dividend(row.amount, facts, around, pay_date)


def _derive_split(row: CorporateAction) -> Derived:
    found = classify_split(row.numerator or 1, row.denominator or 1)
    facts = Facts(
        kind=found.kind,
        ex_date=row.ex_date,
        currency=row.currency,
        numerator=row.numerator,
        denominator=row.denominator,
    )
    if found.is_sure:
        return Derived(facts)
    return Derived(facts, "SPIN_OFF_SUSPECT" if found.kind is AcceptedKind.SPIN_OFF else "STOCK_DIVIDEND")


def _derive_dividend(amount: Decimal, facts: Facts, around: Surroundings, pay_date: date | None) -> Derived:
    """A dividend: which shares it is for, whether it holds a gain, its unit, and its size."""
    closes = around.prices.around(facts.ex_date)
    # Prices in another currency say nothing of the amount.
    priced = closes if facts.currency == around.prices.currency else Closes(None, None)
    split = around.prices.splits.get(facts.ex_date)
    if split is not None and split != 1:
        return _derive_on_split_day(amount, split, facts, around, priced)
    gain = _gain_of(facts, around)
    if gain:
        return _derive_with_gain(amount, gain, facts, around, priced)
    return _derive_size(amount, facts, around, priced, pay_date)


def _derive_on_split_day(
    amount: Decimal, split: Fraction, facts: Facts, around: Surroundings, closes: Closes
) -> Derived:
    if closes.before is None or closes.on is None or around.prices.is_to_come(facts.ex_date):
        return _without_close(facts, around, "SPLIT_SAME_DAY")
    basis, per_old = same_day_split(amount, split, prev_close=closes.before, close=closes.on)
    if per_old is None:
        return Derived(facts, "SPLIT_SAME_DAY")
    return Derived(replace(facts, amount=per_old), note=f"on a split's day: told per {basis} share")


def _derive_with_gain(amount: Decimal, gain: Decimal, facts: Facts, around: Surroundings, closes: Closes) -> Derived:
    if closes.on is None or around.prices.is_to_come(facts.ex_date):
        return _without_close(facts, around, "FUND_NO_PRICES")
    found = fund_distribution(amount, gain, prev_close=closes.before, close=closes.on)
    if found is None:
        return Derived(facts, "FUND_NO_PRICES")
    note = f"told with the capital gain of {plain(gain)} in it" if found.is_double else None
    return Derived(replace(facts, amount=found.income), is_nothing=found.income == 0, note=note)


def _derive_size(amount: Decimal, facts: Facts, around: Surroundings, closes: Closes, pay_date: date | None) -> Derived:
    """Whether the amount is in the right unit and not suspiciously large."""
    trailing = _trailing_median(facts, around)
    major, _, flag = normalise_unit(amount, facts.currency, prev_close=closes.before, trailing_median=trailing)
    # The market's own word beats the habit: a special dividend may be fifty times the usual one.
    if flag is UnitFlag.UNIT_REPAIRED and not _fell_by(amount, closes):
        note = f"told as {plain(amount)}, a hundredfold error of unit"
        return Derived(replace(facts, amount=major), note=note)
    large = is_large(amount, closes.before)
    is_deferred = has_due_bills(facts.ex_date, pay_date)
    if large and around.is_us and not is_deferred:
        return Derived(facts, "LARGE_25PCT")
    if closes.on is None and _is_visible(amount, closes.before) and around.prices.is_to_come(facts.ex_date):
        return Derived(facts, is_waiting=True)
    if flag is UnitFlag.HELD and not is_deferred and (large or not _fell_by(amount, closes)):
        return Derived(facts, "UNIT_DOUBTFUL")
    doubt = DOUBTS.get(around.doubts.get((ActionKind.DIVIDEND, facts.ex_date), ""))
    is_short = round(amount, _SHORT_DECIMALS) == amount
    return Derived(facts, doubt, note=None if is_short else "no short number fits what was printed")


def _without_close(facts: Facts, around: Surroundings, code: str) -> Derived:
    """A rule that needs the ex-date's close: it waits while the close is to come, and holds when there is none."""
    if around.prices.is_to_come(facts.ex_date):
        return Derived(facts, is_waiting=True)
    return Derived(facts, code)


def _trailing_median(facts: Facts, around: Surroundings) -> Decimal | None:
    """The median of the last four dividends before this one, in the shares of its ex-date."""
    paid: dict[date, Decimal] = {}
    for row in around.rows:
        if row.kind is ActionKind.DIVIDEND and row.currency == facts.currency and row.amount is not None:
            paid[row.ex_date] = row.amount
    for action in around.known:
        amount = action.facts.amount
        is_paid = action.kind is AcceptedKind.CASH and not action.is_cancelled and not action.is_held
        if is_paid and action.facts.currency == facts.currency and amount is not None:
            # What was accepted counts before what was printed.
            paid[action.ex_date] = amount
    earliest = facts.ex_date - _TRAILING_DAYS
    days = sorted(day for day in paid if earliest <= day < facts.ex_date and paid[day] > 0)
    last = [around.prices.restate(paid[day], day, facts.ex_date) for day in days[-_TRAILING:]]
    return median_amount(last)


def _is_visible(amount: Decimal, before: Decimal | None) -> bool:
    return before is not None and Fraction(amount) >= _VISIBLE * Fraction(before)


def _fell_by(amount: Decimal, closes: Closes) -> bool:
    """Whether the price clearly fell by the amount: that it is unusual then says nothing against it."""
    if closes.before is None or closes.on is None or not _is_visible(amount, closes.before):
        return False
    fall = Fraction(closes.before) - Fraction(closes.on)
    own, without = abs(fall - Fraction(amount)), abs(fall - Fraction(amount) / 100)
    return without >= DECISIVE * own


def _gain_of(facts: Facts, around: Surroundings) -> Decimal:
    """The capital gain of the same day, as the answer tells it, or as it is kept."""
    day = (facts.ex_date, facts.currency)
    told = [row.amount for row in around.rows if (row.kind, row.ex_date, row.currency) == (_GAIN, *day)]
    kept = [
        action.facts.amount
        for action in around.known
        if action.kind is AcceptedKind.CAP_GAIN and (action.ex_date, action.facts.currency) == day
    ]
    return sum((amount for amount in told or kept if amount is not None and amount > 0), Decimal(0))


def _in_new_shares(value: Decimal, ratio: Fraction) -> Decimal:
    if ratio == 1:
        return value
    exact = Fraction(value) / ratio
    return Decimal(exact.numerator) / Decimal(exact.denominator)


def priced(row: CorporateAction, prices: PriceLine) -> PricedRow:
    """A dividend's row with the closes around its ex-date."""
    closes = prices.around(row.ex_date) if row.currency == prices.currency else Closes(None, None)
    return PricedRow(row.ex_date, row.amount or Decimal(0), closes.before, closes.on)
