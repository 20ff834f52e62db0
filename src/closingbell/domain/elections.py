"""Which of a dividend's two forms an account takes where it may be had in shares: by one choice, or its standing one.

Pure. A choice counts until the election deadline, that day included; from then on what was chosen stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date


def is_open(deadline: date | None, today: date) -> bool:
    """Whether a choice may still be made; without a deadline nobody says when it ends."""
    return deadline is None or today <= deadline


def takes_shares(
    election: bool | None, *, standing: bool, changes: Iterable[tuple[date, bool]], deadline: date | None
) -> bool | None:
    """Whether an account takes shares; None where the standing choice counts that it has when it is paid.

    ``election`` is the choice for this one dividend. ``changes`` are those of the standing choice, which is
    ``standing`` now, by day and in their order, each with what it was before: what it was at the end of the deadline
    follows.
    """
    if election is not None or deadline is None:
        return election
    return next((before for day, before in changes if day > deadline), standing)
