"""When a price looks like a split that nobody told of: new shares' price beside a close in old ones."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from fractions import Fraction

from closingbell.domain.corporate_actions import ActionKind, CorporateAction

# On a split's day the price moves too: so far it may lie from the ratio alone.
NEARNESS = 0.15


def _plausible() -> tuple[float, ...]:
    """Ratios of real splits: from 3:2 to 20:1 in small terms, and their inverses."""
    ratios = {Fraction(new, old) for old in (1, 2, 3) for new in range(2, 21) if new * 2 >= old * 3}
    return tuple(sorted({float(ratio) for ratio in ratios} | {float(1 / ratio) for ratio in ratios}))


_RATIOS = _plausible()


def is_split_like(before: int, after: int) -> bool:
    """Whether a close and the price after it, in the same unit, differ as by a split."""
    if before <= 0 or after <= 0:
        return False
    return any(abs(after / before / ratio - 1) <= NEARNESS for ratio in _RATIOS)


def tells_split(told: Iterable[CorporateAction], *, after: date, until: date) -> bool:
    """Whether an answer tells of a split after the day of a close and up to the day of the price beside it."""
    return any(row.kind is ActionKind.SPLIT and after < row.ex_date <= until for row in told)
