"""What a part of the benchmarks found, as a table: every figure next to what it is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

HEADINGS = ("what", "database", "compared with", "ours", "ratio", "bar", "met")


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison; ``bar`` is the ratio to reach (``at_most``: not to pass), None where there is none."""

    what: str
    database: str
    theirs: str
    ours: str
    ratio: float
    bar: float | None = None
    at_most: bool = False
    as_percent: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the bar is reached; a line without one is never in the way."""
        if self.bar is None:
            return True
        return self.ratio <= self.bar if self.at_most else self.ratio >= self.bar

    def cells(self) -> tuple[str, ...]:
        """The line as the cells of a table."""
        bar = "" if self.bar is None else f"{'<=' if self.at_most else '>='} {self._number(self.bar)}"
        met = "" if self.bar is None else "yes" if self.is_met else "NO"
        return (self.what, self.database, self.theirs, self.ours, self._number(self.ratio), bar, met)

    def _number(self, value: float) -> str:
        if self.as_percent:
            return f"{value:.0%}"
        return f"{value:.0f}x" if value >= 10 else f"{value:.2f}x"


def below(what: str, database: str, measured: float, limit: float, *, unit: str) -> Line:
    """A figure that must not pass a limit."""
    return Line(what, database, f"{limit:g} {unit}", f"{measured:.2f} {unit}", measured / limit, 1.0, at_most=True)


def print_lines(title: str, lines: Sequence[Line], notes: Iterable[str] = ()) -> None:
    """A table of comparisons with a title above and notes below."""
    rows = [HEADINGS, *(line.cells() for line in lines)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
    print(f"\n{title}")
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for note in notes:
        print(f"  {note}")


def spread(values: Sequence[float]) -> str:
    """``512/s (498–530)``: the median, and the range of the turns where there were several."""
    middle = median(values)
    decimals = 0 if middle >= 100 else 1
    if len(values) < 2:
        return f"{middle:,.{decimals}f}/s"
    return f"{middle:,.{decimals}f}/s ({min(values):,.{decimals}f}–{max(values):,.{decimals}f})"
