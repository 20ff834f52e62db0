"""Dividends that repeat each other a few days apart: which one counts, and whether that is sure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from closingbell.domain.action_facts import PriceLine, priced
from closingbell.domain.action_rules import DUPLICATE_DAYS, Duplicate, dedupe, typical_gap
from closingbell.domain.actions import AcceptedAction, AcceptedKind
from closingbell.domain.corporate_actions import ActionKind, CorporateAction

# A company with fewer than three dividends has no usual gap: rows a week apart are taken for one.
_GAP_UNKNOWN = 15


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The dividends around a row: all that the answer tells, those of them that are new, and what is kept."""

    rows: Sequence[CorporateAction]
    rivals: Sequence[CorporateAction]
    kept: Sequence[AcceptedAction]
    prices: PriceLine
    traded_between: Callable[[date, date], bool]


def kept_instead(row: CorporateAction, around: Neighbours) -> AcceptedAction | None:
    """The kept dividend that a row nearly repeats: that one stays."""
    for action in around.kept:
        amount = action.facts.amount
        if action.facts.group not in {"CASH", "SPECIAL"} or action.is_cancelled or amount is None:
            continue
        if action.facts.currency != row.currency or abs((action.ex_date - row.ex_date).days) > DUPLICATE_DAYS:
            continue
        other = priced(_as_row(action, amount), around.prices)
        gap = _gap(row.ex_date, around)
        found = dedupe(priced(row, around.prices), other, typical_gap_days=gap, booked=action.ex_date)
        if found.is_duplicate:
            return action
    return None


def better_rival(row: CorporateAction, seq: int, around: Neighbours) -> CorporateAction | None:
    """Another new row that a row nearly repeats, and that counts instead: the one it is surely, or the first."""
    for other in _pairs(row, around):
        found = _compared(row, other, around)
        if not found.is_duplicate:
            continue
        if other.ex_date == row.ex_date:
            is_worse = seq > 0
        elif found.is_decisive:
            is_worse = found.keep != row.ex_date
        else:
            is_worse = other.ex_date < row.ex_date
        if is_worse:
            return other
    return None


def is_undecided(row: CorporateAction, around: Neighbours) -> bool:
    """Whether prices do not say which of two rows is right, and it matters to somebody which one is."""
    for other in _pairs(row, around):
        found = _compared(row, other, around)
        if found.is_duplicate and not found.is_decisive:
            first, last = sorted((row.ex_date, other.ex_date))
            if row.amount != other.amount or around.traded_between(first, last):
                return True
    return False


def _pairs(row: CorporateAction, around: Neighbours) -> list[CorporateAction]:
    return [
        other
        for other in around.rivals
        if other is not row
        and other.kind is ActionKind.DIVIDEND
        and other.currency == row.currency
        and abs((other.ex_date - row.ex_date).days) <= DUPLICATE_DAYS
    ]


def _compared(row: CorporateAction, other: CorporateAction, around: Neighbours) -> Duplicate:
    gap = _gap(row.ex_date, around)
    return dedupe(priced(row, around.prices), priced(other, around.prices), typical_gap_days=gap)


def _gap(left_out: date, around: Neighbours) -> Fraction | int:
    """The usual days between dividends, the one in question left out."""
    days = {row.ex_date for row in around.rows if row.kind is ActionKind.DIVIDEND}
    days |= {action.ex_date for action in around.kept if action.kind is AcceptedKind.CASH}
    known = sorted(days - {left_out})
    return (typical_gap(known) if len(known) > 2 else None) or _GAP_UNKNOWN


def _as_row(action: AcceptedAction, amount: Decimal) -> CorporateAction:
    return CorporateAction(ActionKind.DIVIDEND, action.ex_date, amount, action.facts.currency, None, None, "")
