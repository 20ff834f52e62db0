"""Corporate actions as the source told them: new ones added, different ones revised, nothing ever removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, insert, select, update

from closingbell.domain.corporate_actions import ActionKind, CorporateAction
from closingbell.models import CorporateActionRevision, CorporateActionRow
from closingbell.stores.upsert import in_groups, upsert

_KEY = ("company_id", "kind", "ex_date", "currency", "seq")
_FACTS = ("amount", "numerator", "denominator", "printed")


def load_splits(connection: Connection, company_ids: Sequence[int]) -> dict[int, dict[date, Fraction]]:
    """Known splits by company and ex-date: new shares per old share."""
    row = CorporateActionRow
    splits: dict[int, dict[date, Fraction]] = {}
    for group in in_groups(company_ids):
        query = select(row.company_id, row.ex_date, row.numerator, row.denominator).where(
            row.company_id.in_(group), row.kind == ActionKind.SPLIT
        )
        for company_id, ex_date, numerator, denominator in connection.execute(query):
            of_company = splits.setdefault(company_id, {})
            of_company[ex_date] = of_company.get(ex_date, Fraction(1)) * Fraction(numerator or 1, denominator or 1)
    return splits


def store_actions(
    connection: Connection, told: Mapping[int, Sequence[CorporateAction]], *, provider: str, at: datetime
) -> int:
    """Store what an answer tells of each company; return how many actions are new or told differently."""
    with_actions = {company_id: actions for company_id, actions in told.items() if actions}
    if not with_actions:
        return 0
    known = _load_known(connection, list(with_actions), min(a[0].ex_date for a in with_actions.values()))
    fresh: list[dict[str, Any]] = []
    changed = 0
    for company_id, actions in with_actions.items():
        for seq, action in _numbered(actions):
            stored = known.get((company_id, action.kind, action.ex_date, action.currency, seq))
            if stored is None:
                fresh.append(_row(company_id, seq, action, provider, at))
            elif not _is_same(stored, action):
                _revise(connection, stored, action, provider, at)
                changed += 1
    upsert(connection, CorporateActionRow, fresh, key=_KEY)
    return len(fresh) + changed


def _numbered(actions: Sequence[CorporateAction]) -> list[tuple[int, CorporateAction]]:
    """Each action with its number among those of one kind, day and currency."""
    seen: dict[tuple[str, date, str], int] = {}
    numbered = []
    for action in actions:
        key = (action.kind, action.ex_date, action.currency)
        seq = seen.get(key, 0)
        seen[key] = seq + 1
        numbered.append((seq, action))
    return numbered


def _load_known(connection: Connection, company_ids: Sequence[int], first: date) -> dict[tuple[Any, ...], Any]:
    row = CorporateActionRow
    known: dict[tuple[Any, ...], Any] = {}
    for group in in_groups(company_ids):
        query = select(
            row.id,
            row.company_id,
            row.kind,
            row.ex_date,
            row.currency,
            row.seq,
            row.amount,
            row.numerator,
            row.denominator,
        ).where(row.company_id.in_(group), row.ex_date >= first)
        for stored in connection.execute(query):
            known[(stored.company_id, stored.kind, stored.ex_date, stored.currency, stored.seq)] = stored
    return known


def _is_same(stored: Any, action: CorporateAction) -> bool:
    """Whether an answer repeats a stored action; a restated amount carries its printed number's rounding."""
    if action.kind is ActionKind.SPLIT:
        return bool(stored.numerator == action.numerator and stored.denominator == action.denominator)
    amount, printed = action.amount or Decimal(0), Decimal(action.printed)
    factor = max(Decimal(1), amount / printed) if printed else Decimal(1)
    return bool(abs(stored.amount - amount) <= Decimal("0.0000005") * factor)


def _row(company_id: int, seq: int, action: CorporateAction, provider: str, at: datetime) -> dict[str, Any]:
    facts = {name: getattr(action, name) for name in _FACTS}
    key = {"company_id": company_id, "kind": action.kind.value, "ex_date": action.ex_date, "seq": seq}
    seen = {"currency": action.currency, "provider": provider, "first_seen_at": at, "last_seen_at": at}
    return {**key, **facts, **seen}


def _revise(connection: Connection, stored: Any, action: CorporateAction, provider: str, at: datetime) -> None:
    """Take over what the answer says and keep what was there before."""
    row = CorporateActionRow
    facts = {name: getattr(action, name) for name in _FACTS}
    changed = connection.execute(
        update(row)
        .where(row.id == stored.id, row.amount.is_not_distinct_from(stored.amount))
        .where(row.numerator.is_not_distinct_from(stored.numerator))
        .values(**facts, provider=provider, last_seen_at=at)
    )
    if changed.rowcount == 1:
        connection.execute(
            insert(CorporateActionRevision).values(
                corporate_action_id=stored.id,
                old_amount=stored.amount,
                old_numerator=stored.numerator,
                old_denominator=stored.denominator,
                new_amount=action.amount,
                new_numerator=action.numerator,
                new_denominator=action.denominator,
                new_printed=action.printed,
                provider=provider,
                noticed_at=at,
            )
        )
