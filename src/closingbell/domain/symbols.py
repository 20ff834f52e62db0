"""Names with dates: what a company is called, and what a provider calls it on a day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True)
class DatedName:
    """A name from ``valid_from`` (None: from the beginning) until before ``valid_until`` (None: for good)."""

    symbol: str
    valid_from: date | None = None
    valid_until: date | None = None

    def holds_on(self, day: date) -> bool:
        """Whether it is the name on ``day``."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_until is None or day < self.valid_until
        )


@dataclass(frozen=True, slots=True)
class Names:
    """How providers spell our symbols: our own names with dates, and theirs, by provider, where they were told.

    Both by our newest symbol.
    """

    own: Mapping[str, Sequence[DatedName]] = field(default_factory=dict)
    theirs: Mapping[tuple[str, str], Sequence[DatedName]] = field(default_factory=dict)

    def spell(self, provider: str, symbol: str, on: date) -> str:
        """The name under which ``provider`` knows our ``symbol`` on a day."""
        for names in (self.theirs.get((provider, symbol), ()), self.own.get(symbol, ())):
            held = [name.symbol for name in names if name.holds_on(on)]
            if held:
                return held[-1]
        return symbol


def renamed(names: Sequence[DatedName], old: str, new: str, on: date) -> list[DatedName]:
    """The names of a company called ``old`` until before ``on`` and ``new`` from then on; ``names`` are its so far.

    Raise ValueError with the date of its last renaming when that is not before ``on``.
    """
    known = list(names) or [DatedName(old)]
    last = known[-1]
    if last.valid_from is not None and last.valid_from >= on:
        raise ValueError(f"{last.symbol} is its name since {last.valid_from}")
    return [*known[:-1], DatedName(last.symbol, last.valid_from, on), DatedName(new, on)]


def ended_by_next(rows: Iterable[tuple[str, date]]) -> list[DatedName]:
    """Names that hold from their date until the next one begins; ``rows`` (name, from when) ascend by date."""
    found = list(rows)
    ends = [start for _, start in found[1:]] + [None]
    return [DatedName(symbol, start, end) for (symbol, start), end in zip(found, ends, strict=True)]
