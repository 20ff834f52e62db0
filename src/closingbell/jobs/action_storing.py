"""From what an answer tells of a company's actions to actions that count, or wait for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection

from closingbell.domain.action_rules import classify_split
from closingbell.domain.actions import AcceptedAction, AcceptedKind, Facts
from closingbell.domain.corporate_actions import ActionKind, CorporateAction
from closingbell.stores import actions
from closingbell.stores.actions import Change

_KINDS = {ActionKind.DIVIDEND: AcceptedKind.CASH, ActionKind.CAPITAL_GAIN: AcceptedKind.CAP_GAIN}
_HELD = {
    AcceptedKind.STOCK_DIVIDEND: ("STOCK_DIVIDEND", "it looks like a stock dividend: say whether it is one"),
    AcceptedKind.SPIN_OFF: ("SPIN_OFF_SUSPECT", "no split has such a ratio: it looks like a spin-off"),
}


def store_told(
    connection: Connection, told: Mapping[int, Sequence[CorporateAction]], *, provider: str, at: datetime
) -> int:
    """Store what an answer tells of each company; return how many actions are new or told differently."""
    with_actions = {company_id: rows for company_id, rows in told.items() if rows}
    if not with_actions:
        return 0
    first = min(rows[0].ex_date for rows in with_actions.values())
    known = actions.load_actions(connection, list(with_actions), first=first)
    count = 0
    for company_id, rows in with_actions.items():
        by_key = {_key_of(action): action for action in known.get(company_id, [])}
        for seq, row in _numbered(rows):
            facts = facts_of(row)
            stored = by_key.get((facts.group, facts.ex_date, facts.currency, seq))
            if stored is None:
                change = Change(provider, provider, "first told", at)
                hold = _HELD.get(facts.kind)
                actions.store_new(connection, company_id, facts, change, hold=hold, seq=seq, printed=row.printed)
                count += 1
            elif not _is_same(stored, row):
                again = replace(
                    stored.facts, amount=facts.amount, numerator=facts.numerator, denominator=facts.denominator
                )
                change = Change(provider, provider, "told differently", at)
                actions.store_change(connection, stored, replace(stored, facts=again), change, printed=row.printed)
                count += 1
    return count


def facts_of(row: CorporateAction) -> Facts:
    """A provider's row in our words."""
    kind = _KINDS.get(row.kind) or classify_split(row.numerator or 1, row.denominator or 1).kind
    return Facts(
        kind=kind,
        ex_date=row.ex_date,
        currency=row.currency,
        amount=row.amount,
        numerator=row.numerator,
        denominator=row.denominator,
    )


def _key_of(action: AcceptedAction) -> tuple[object, ...]:
    return action.facts.group, action.ex_date, action.facts.currency, action.seq


def _numbered(rows: Sequence[CorporateAction]) -> list[tuple[int, CorporateAction]]:
    """Each row with its number among those of one kind, day and currency."""
    seen: dict[tuple[object, ...], int] = {}
    numbered = []
    for row in rows:
        key = (row.kind, row.ex_date, row.currency)
        seq = seen.get(key, 0)
        seen[key] = seq + 1
        numbered.append((seq, row))
    return numbered


def _is_same(stored: AcceptedAction, row: CorporateAction) -> bool:
    """Whether an answer repeats a stored action; a restated amount carries its printed number's rounding."""
    facts = stored.facts
    if row.kind is ActionKind.SPLIT:
        return (facts.numerator, facts.denominator) == (row.numerator, row.denominator)
    amount, printed = row.amount or Decimal(0), Decimal(row.printed)
    factor = max(Decimal(1), amount / printed) if printed else Decimal(1)
    return abs((facts.amount or Decimal(0)) - amount) <= Decimal("0.0000005") * factor
