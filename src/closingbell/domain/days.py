"""Sets of dates as bits: ten years of sessions are some five hundred bytes, and compared in a microsecond."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property

_BASE_BYTES = 3


class DaySet:
    """An immutable set of dates; ``base`` is the first one's ordinal, bit 0 of ``bits`` stands for it."""

    __slots__ = ("base", "bits")

    def __init__(self, base: int = 0, bits: int = 0) -> None:
        """The dates whose bit is set, counted from the ordinal ``base``."""
        if not bits:
            base = 0
        elif not bits & 1:
            zeros = (bits & -bits).bit_length() - 1
            base, bits = base + zeros, bits >> zeros
        self.base = base
        self.bits = bits

    @staticmethod
    def of(days: Iterable[date]) -> DaySet:
        """The set of ``days``, in any order; a set of days is itself."""
        if isinstance(days, DaySet):
            return days
        ordinals = [day.toordinal() for day in days]
        if not ordinals:
            return NO_DAYS
        base = min(ordinals)
        buffer = bytearray((max(ordinals) - base) // 8 + 1)
        for ordinal in ordinals:
            place = ordinal - base
            buffer[place >> 3] |= 1 << (place & 7)
        return DaySet(base, int.from_bytes(buffer, "little"))

    @staticmethod
    def from_bytes(data: bytes) -> DaySet:
        """The set that ``to_bytes`` wrote."""
        if not data:
            return NO_DAYS
        return DaySet(int.from_bytes(data[:_BASE_BYTES], "big"), int.from_bytes(data[_BASE_BYTES:], "little"))

    def to_bytes(self) -> bytes:
        """Three bytes of the first date's ordinal, then a bit for every day from it on; nothing for the empty set."""
        if not self.bits:
            return b""
        return self.base.to_bytes(_BASE_BYTES, "big") + self.bits.to_bytes((self.bits.bit_length() + 7) // 8, "little")

    @property
    def first(self) -> date:
        """The earliest date; the set must not be empty."""
        return date.fromordinal(self.base)

    @property
    def last(self) -> date:
        """The latest date; the set must not be empty."""
        return date.fromordinal(self.base + self.bits.bit_length() - 1)

    def between(self, first: date, last: date) -> DaySet:
        """The dates from ``first`` to ``last``, both included."""
        low = max(first.toordinal() - self.base, 0)
        high = last.toordinal() - self.base
        if high < low:
            return NO_DAYS
        bits = self.bits >> low
        if high + 1 < self.bits.bit_length():
            bits &= (1 << (high - low + 1)) - 1
        return DaySet(self.base + low, bits)

    def __or__(self, other: DaySet) -> DaySet:
        if not self.bits or not other.bits:
            return self if self.bits else other
        base = min(self.base, other.base)
        return DaySet(base, self.bits << (self.base - base) | other.bits << (other.base - base))

    def __and__(self, other: DaySet) -> DaySet:
        base = max(self.base, other.base)
        return DaySet(base, self.bits >> (base - self.base) & other.bits >> (base - other.base))

    def __sub__(self, other: DaySet) -> DaySet:
        if not self.bits or not other.bits:
            return self
        shift = other.base - self.base
        taken = other.bits << shift if shift >= 0 else other.bits >> -shift
        return DaySet(self.base, self.bits & ~taken)

    def __contains__(self, day: object) -> bool:
        place = day.toordinal() - self.base if isinstance(day, date) else -1
        return place >= 0 and bool(self.bits >> place & 1)

    def __iter__(self) -> Iterator[date]:
        """The dates, ascending."""
        text = f"{self.bits:b}"[::-1]
        place = text.find("1")
        while place >= 0:
            yield date.fromordinal(self.base + place)
            place = text.find("1", place + 1)

    def __len__(self) -> int:
        return self.bits.bit_count()

    def __bool__(self) -> bool:
        return bool(self.bits)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DaySet) and (self.base, self.bits) == (other.base, other.bits)

    def __hash__(self) -> int:
        return hash((self.base, self.bits))

    def __repr__(self) -> str:
        return f"DaySet.of([{', '.join(map(str, self))}])"


NO_DAYS = DaySet()


@dataclass(frozen=True)
class StoredDays:
    """The days of a company that have a close, and which of these closes may still move.

    As a sequence it is pairs of a date and whether its bar is settled, ascending.
    """

    closes: DaySet = NO_DAYS
    provisional: DaySet = NO_DAYS

    @staticmethod
    def of(pairs: Iterable[tuple[date, bool]]) -> StoredDays:
        """The days of (date, is settled); stored days are themselves."""
        if isinstance(pairs, StoredDays):
            return pairs
        known = list(pairs)
        return StoredDays(DaySet.of(day for day, _ in known), DaySet.of(day for day, settled in known if not settled))

    @cached_property
    def settled(self) -> DaySet:
        """The days whose close is settled."""
        return self.closes - self.provisional

    def without(self, first: date, last: date) -> StoredDays:
        """The days before ``first`` and after ``last``."""
        return StoredDays(
            self.closes - self.closes.between(first, last), self.provisional - self.provisional.between(first, last)
        )

    def __iter__(self) -> Iterator[tuple[date, bool]]:
        return ((day, day not in self.provisional) for day in self.closes)

    def __len__(self) -> int:
        return len(self.closes)


NO_BARS = StoredDays()
