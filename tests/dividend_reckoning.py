"""What the books of dividends must say by the facts of today: a small reckoning without any of closingbell's code.

Shares are fractions, counted day by day; money is rounded once, half away from zero, to the cent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any, NamedTuple

CENT = Decimal("0.01")
SHARE = Decimal("1e-10")
RATE_IS_OLD = timedelta(days=5)

Rates = Mapping[date, Decimal]


def business(day: date) -> date:
    """The day itself, or the Monday after a weekend."""
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return day


def rounded(value: Fraction | Decimal) -> Decimal:
    exact = value if isinstance(value, Decimal) else Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(CENT, ROUND_HALF_UP)


def shown(shares: Fraction) -> Decimal:
    return (Decimal(shares.numerator) / Decimal(shares.denominator)).quantize(SHARE, ROUND_HALF_EVEN)


def whole(shares: Fraction) -> Fraction:
    """Toward zero, for short positions too."""
    return Fraction(abs(shares).__floor__()) * (1 if shares > 0 else -1)


def newest_rate(rates: Rates, on: date) -> tuple[date, Decimal] | None:
    """The newest rate of a day and the five before it."""
    found = [day for day in rates if on - RATE_IS_OLD <= day <= on]
    return (max(found), rates[max(found)]) if found else None


def is_near(entered: Decimal, gross: Decimal, net: Decimal) -> bool:
    """Whether what a person entered stands for a payment: within two cents, or two per cent."""
    return any(
        abs(entered - ours) <= Decimal("0.02") or abs(entered - ours) <= abs(ours) * Decimal("0.02")
        for ours in (gross, net)
    )


class Move(NamedTuple):
    """Shares that came (above zero) or went on a day."""

    day: date
    shares: Fraction


class Ratio(NamedTuple):
    """A split, at the open of its day."""

    day: date
    ratio: Fraction
    action_id: int = 0


class Cut(NamedTuple):
    """What a split left over that is not a whole share."""

    action_id: int
    day: date
    fraction: Fraction


class Terms(NamedTuple):
    """A dividend as it stands today."""

    id: int
    ex_date: date
    pay_date: date
    amount: Decimal
    kind: str
    scrip_price: Decimal | None
    is_held: bool


class Entitlement(NamedTuple):
    """What one account is owed by one dividend; ``cash`` is None where no rate is known for the day of payment."""

    quantity: Decimal
    gross: Decimal
    tax: Decimal
    net: Decimal
    pay_date: date
    cash: Decimal | None
    scrip_shares: int = 0


def pay_date_of(told: date | None, ex_date: date) -> date:
    """What was told, on a business day and not before the ex-date; else the fifth business day after it."""
    if told is not None:
        return business(max(told, ex_date))
    day = ex_date
    for _ in range(5):
        day = business(day + timedelta(days=1))
    return day


def walk(moves: Iterable[Move], splits: Iterable[Ratio], until: date, *, is_cut: bool) -> tuple[Fraction, list[Cut]]:
    """Shares at the close before ``until``, a split before its day's orders, and what splits cut off."""
    held, cuts = Fraction(0), []
    steps: list[tuple[date, int, Fraction, int]] = [(one.day, 1, one.shares, 0) for one in moves if one.day < until]
    steps += [(one.day, 0, one.ratio, one.action_id) for one in splits if one.day < until]
    for day, is_move, value, action_id in sorted(steps):
        if is_move:
            held += value
            continue
        held *= value
        if is_cut and held != whole(held):
            cuts.append(Cut(action_id, day, held - whole(held)))
            held = whole(held)
    return held, cuts


@dataclass
class Reckoning:
    """One account's entitlements of one company; ``moves`` grows by the shares that dividends brought.

    ``takes`` are the dividends that were taken in shares, ``standing`` the shares of those held that stand still.
    """

    account: Mapping[str, Any]
    moves: list[Move]
    splits: list[Ratio]
    rates: Rates
    today: date
    takes: frozenset[int] = frozenset()
    standing: Mapping[int, Move] = field(default_factory=dict)

    def entitlements(self, dividends: Iterable[Terms]) -> dict[int, Entitlement]:
        """By dividend, oldest first: what one brought in shares counts for those after its pay date."""
        found = {}
        for terms in sorted(dividends, key=lambda one: (one.ex_date, one.id)):
            entitlement = self._entitlement(terms)
            if entitlement is not None:
                found[terms.id] = entitlement
            if terms.is_held and terms.id in self.standing:
                self.moves.append(self.standing[terms.id])
            elif entitlement is not None and entitlement.scrip_shares:
                self.moves.append(Move(entitlement.pay_date, Fraction(entitlement.scrip_shares)))
        return found

    def held(self, until: date) -> Fraction:
        return walk(self.moves, self.splits, until, is_cut=self.is_cut)[0]

    def cuts(self) -> list[Cut]:
        return walk(self.moves, self.splits, self.today + timedelta(days=1), is_cut=self.is_cut)[1]

    @property
    def is_cut(self) -> bool:
        return bool(self.account.get("fraction_policy") == "CASH_IN_LIEU")

    def _entitlement(self, terms: Terms) -> Entitlement | None:
        quantity = shown(self.held(terms.ex_date))
        if self.today < terms.ex_date or not quantity:
            return None
        gross = rounded(quantity * terms.amount)
        is_taxed = "wht" in self.account and quantity > 0 and terms.kind != "RETURN_OF_CAPITAL"
        tax = rounded(gross * Decimal("0.15")) if is_taxed else Decimal(0)
        net, shares = gross - tax, 0
        is_due = self.today >= terms.pay_date and not terms.is_held
        if is_due and terms.kind == "SCRIP" and terms.id in self.takes and terms.scrip_price and net > 0:
            shares = int(net / terms.scrip_price)
        if self.account["currency"] == "EUR":
            rate = newest_rate(self.rates, terms.pay_date)
            return Entitlement(quantity, gross, tax, net, terms.pay_date, rate and _converted(gross, tax, rate[1]))
        return Entitlement(quantity, gross, tax, net, terms.pay_date, net, shares)


def _converted(gross: Decimal, tax: Decimal, rate: Decimal) -> Decimal:
    return rounded(gross * rate) - rounded(tax * rate)
