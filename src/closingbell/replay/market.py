"""What a replayed market is made of: listings with their bars, splits, dividends and capital gains.

Everything is as traded: prices and volumes in the shares of their day, dividends as paid. What a
reader of a given instant would have been served is worked out in :mod:`closingbell.replay.as_of`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from closingbell.replay.sessions import NEW_YORK, Hours

# Made up, because declaration dates are not recorded: every dividend whose story we know was public by then.
ANNOUNCED_DAYS_BEFORE = 7

_CLONE = re.compile(r"C(\d{5})")


@dataclass(frozen=True, slots=True)
class Bar:
    """One daily bar as traded."""

    date: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


@dataclass(frozen=True, slots=True)
class Split:
    """``numerator`` new shares for ``denominator`` old ones from ``ex_date`` on."""

    ex_date: date
    numerator: int
    denominator: int = 1

    @property
    def ratio(self) -> Fraction:
        """New shares per old share."""
        return Fraction(self.numerator, self.denominator)


@dataclass(frozen=True, slots=True)
class Dividend:
    """A cash dividend as paid, per share of its ex-date; dates that are not known are None."""

    ex_date: date
    amount: Decimal
    pay_date: date | None = None
    declared_date: date | None = None
    currency: str | None = None

    @property
    def announced_date(self) -> date:
        """The day from which the calendar names it."""
        return self.declared_date or self.ex_date - timedelta(days=ANNOUNCED_DAYS_BEFORE)


@dataclass(frozen=True, slots=True)
class CapitalGain:
    """A fund's distribution of capital gains, per share of its ex-date."""

    ex_date: date
    amount: Decimal


@dataclass(frozen=True, eq=False)
class Listing:
    """A company as listed on one exchange, with all that is recorded of it. Bars ascend by date."""

    symbol: str
    bars: Sequence[Bar]
    splits: Sequence[Split] = ()
    dividends: Sequence[Dividend] = ()
    capital_gains: Sequence[CapitalGain] = ()
    currency: str = "USD"
    exchange: str = "NMS"
    exchange_name: str = "NasdaqGS"
    name: str = ""
    instrument_type: str = "EQUITY"
    hours: Hours = NEW_YORK

    @cached_property
    def dates(self) -> list[date]:
        """Every session's date, ascending."""
        return [bar.date for bar in self.bars]

    @cached_property
    def opens(self) -> list[int]:
        """Every session's opening instant, UTC seconds, ascending."""
        return [self.hours.opens_at(day) for day in self.dates]

    @cached_property
    def payouts(self) -> list[tuple[date, Decimal]]:
        """What lowers the adjusted close: dividends and capital gains, by ex-date."""
        dividends = [(one.ex_date, one.amount) for one in self.dividends]
        paid = dividends + [(one.ex_date, one.amount) for one in self.capital_gains]
        return sorted(paid, key=lambda one: one[0])

    @property
    def long_name(self) -> str:
        """The company's name, or its symbol where none is known."""
        return self.name or self.symbol


class Market:
    """Listings by symbol; ``clones`` adds C00001, C00002, ... that repeat them under other symbols."""

    def __init__(self, listings: Sequence[Listing], *, clones: int = 0) -> None:
        self.listings = tuple(listings)
        self.clones = clones
        self._by_symbol = {one.symbol: one for one in self.listings}

    def find(self, symbol: str) -> Listing | None:
        """The listing behind a symbol or a clone's symbol."""
        found = self._by_symbol.get(symbol)
        return found or self._clone(symbol)

    def with_clones(self, clones: int) -> Market:
        """The same market with another number of clones."""
        return Market(self.listings, clones=clones)

    @property
    def first_date(self) -> date:
        """The first recorded session."""
        return min(one.dates[0] for one in self.listings)

    @property
    def last_date(self) -> date:
        """The last recorded session."""
        return max(one.dates[-1] for one in self.listings)

    @cached_property
    def _cloneable(self) -> list[Listing]:
        # A clone of a late listing would be unknown for most of the record.
        return [one for one in self.listings if one.dates[0] == self.first_date]

    def _clone(self, symbol: str) -> Listing | None:
        match = _CLONE.fullmatch(symbol) if self.clones else None
        number = int(match[1]) if match else 0
        if not 1 <= number <= self.clones:
            return None
        return self._cloneable[(number - 1) % len(self._cloneable)]
