"""Corporate actions as they count now, with a version for every change; nothing is ever removed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, insert, select, update

from closingbell.domain.action_checks import parse_ratio
from closingbell.domain.actions import GROUP_OF, SPLITTING, AcceptedAction, AcceptedKind, Facts, PayDateStatus
from closingbell.domain.money import plain
from closingbell.errors import UsageError
from closingbell.models import AnnouncedDividend, CorporateActionRow, CorporateActionVersion
from closingbell.stores.upsert import in_groups, upsert

_FACTS = tuple(field.name for field in fields(Facts))
_STATE = ("seq", "is_held", "held_code", "held_reason", "is_cancelled", "is_user_entered", "version")
_COLUMNS = tuple(getattr(CorporateActionRow, name) for name in ("id", "company_id", *_FACTS, *_STATE))
_KEY = ("company_id", "kind_group", "ex_date", "currency", "seq")
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes an action, on whose word, and why; ``at`` is when."""

    source: str
    actor: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NewAction:
    """An action to be kept; ``hold`` is the code and the sentence why it waits, ``printed`` what the source wrote."""

    company_id: int
    facts: Facts
    change: Change
    hold: tuple[str, str] | None = None
    seq: int = 0
    printed: str = ""
    is_user_entered: bool = False


# --- Reading.


def load_splits(connection: Connection, company_ids: Sequence[int]) -> dict[int, dict[date, Fraction]]:
    """Confirmed real splits by company and ex-date, new shares per old share: those that change quantities."""
    row = CorporateActionRow
    return _ratios(
        connection, company_ids, row.kind.in_(SPLITTING), row.is_held.is_(False), row.is_cancelled.is_(False)
    )


def load_price_splits(connection: Connection, company_ids: Sequence[int]) -> dict[int, dict[date, Fraction]]:
    """Every ratio by which a provider restates prices: held, ignored and spun-off ones too."""
    row = CorporateActionRow
    return _ratios(
        connection, company_ids, row.kind_group == GROUP_OF[AcceptedKind.SPLIT], row.printed != "", is_of_prices=True
    )


def _ratios(
    connection: Connection, company_ids: Sequence[int], *which: ColumnElement[bool], is_of_prices: bool = False
) -> dict[int, dict[date, Fraction]]:
    row = CorporateActionRow
    splits: dict[int, dict[date, Fraction]] = {}
    for group in in_groups(company_ids):
        query = select(
            row.company_id, row.ex_date, row.numerator, row.denominator, row.kind, row.is_user_entered, row.printed
        ).where(row.company_id.in_(group), *which)
        for company_id, ex_date, numerator, denominator, kind, is_by_person, printed in connection.execute(query):
            ratio = Fraction(numerator or 1, denominator or 1)
            if is_of_prices and is_by_person and kind == AcceptedKind.SPIN_OFF:
                # What a person says of it is how many shares of the child came; prices are restated as it was printed.
                ratio = parse_ratio(printed)
            of_company = splits.setdefault(company_id, {})
            of_company[ex_date] = of_company.get(ex_date, Fraction(1)) * ratio
    return splits


def load_on(connection: Connection, days: Iterable[date]) -> set[tuple[int, date]]:
    """Companies with a corporate action, kept or announced, on one of these ex-dates: (company, ex-date)."""
    row, told, wanted = CorporateActionRow, AnnouncedDividend, list(days)
    kept = select(row.company_id, row.ex_date).where(row.ex_date.in_(wanted), row.is_cancelled.is_(False))
    announced = select(told.company_id, told.ex_date).where(told.ex_date.in_(wanted))
    return {(company_id, day) for query in (kept, announced) for company_id, day in connection.execute(query)}


def load_actions(
    connection: Connection, company_ids: Sequence[int], *, first: date | None = None, last: date | None = None
) -> dict[int, list[AcceptedAction]]:
    """All actions of these companies by ex-date, held and cancelled ones too; ``first`` and ``last`` limit ex-dates."""
    row = CorporateActionRow
    found: dict[int, list[AcceptedAction]] = {}
    for group in in_groups(company_ids):
        query = select(*_COLUMNS).where(row.company_id.in_(group), *_between(first, last))
        for action in _read(connection, query):
            found.setdefault(action.company_id, []).append(action)
    return found


def load_action(connection: Connection, action_id: int) -> AcceptedAction | None:
    """One action by its number."""
    return next(iter(_read(connection, select(*_COLUMNS).where(CorporateActionRow.id == action_id))), None)


def require_action(connection: Connection, action_id: int) -> AcceptedAction:
    """The same; raise UsageError when there is none."""
    action = load_action(connection, action_id)
    if action is None:
        raise unknown_action(action_id)
    return action


def unknown_action(action_id: int) -> UsageError:
    """What is said of an action that is not there."""
    return UsageError(f"no corporate action has the number {action_id}; closingbell actions list shows them")


def load_held(connection: Connection) -> list[AcceptedAction]:
    """Actions that wait for a person."""
    row = CorporateActionRow
    return _read(connection, select(*_COLUMNS).where(row.is_held.is_(True), row.is_cancelled.is_(False)))


def _between(first: date | None, last: date | None) -> list[ColumnElement[bool]]:
    row = CorporateActionRow
    return [
        *([] if first is None else [row.ex_date >= first]),
        *([] if last is None else [row.ex_date <= last]),
    ]


def _read(connection: Connection, query: Select[Any]) -> list[AcceptedAction]:
    row = CorporateActionRow
    return [_action_of(found) for found in connection.execute(query.order_by(row.ex_date, row.kind, row.seq, row.id))]


def _action_of(found: Any) -> AcceptedAction:
    facts = {name: getattr(found, name) for name in _FACTS}
    facts["kind"] = AcceptedKind(facts["kind"])
    facts["pay_date_status"] = PayDateStatus(facts["pay_date_status"])
    state = {name: getattr(found, name) for name in _STATE}
    return AcceptedAction(id=found.id, company_id=found.company_id, facts=Facts(**facts), **state)


# --- Writing.


def store_new(connection: Connection, new: NewAction) -> AcceptedAction:
    """Keep one new action as version 1."""
    return store_new_actions(connection, [new])[0]


def store_new_actions(connection: Connection, new: Sequence[NewAction]) -> list[AcceptedAction]:
    """Keep new actions as version 1, in the order given; where another process was first, its action is returned."""
    if not new:
        return []
    upsert(connection, CorporateActionRow, [_new_row(one) for one in new], key=_KEY)
    stored = _load_by_key(connection, new)
    found = [stored[_key_of(one)] for one in new]
    fresh = [(one, action) for one, action in zip(new, found, strict=True) if action.version == 1]
    rows = [_version_row(action, one.change) for one, action in fresh]
    upsert(connection, CorporateActionVersion, rows, key=("corporate_action_id", "version"))
    return found


def _new_row(one: NewAction) -> dict[str, Any]:
    code, reason = one.hold or (None, None)
    return {
        "company_id": one.company_id,
        "kind_group": one.facts.group,
        **_values(one.facts),
        "seq": one.seq,
        "is_held": one.hold is not None,
        "held_code": code,
        "held_reason": reason,
        "is_cancelled": False,
        "is_user_entered": one.is_user_entered,
        "version": 1,
        "dirty_since": one.change.at,
        "printed": one.printed,
        "provider": one.change.source,
        "first_seen_at": one.change.at,
        "last_seen_at": one.change.at,
        "missed_count": 0,
    }


def _key_of(one: NewAction | AcceptedAction) -> tuple[Any, ...]:
    return one.company_id, one.facts.group, one.facts.ex_date, one.facts.currency, one.seq


def _load_by_key(connection: Connection, new: Sequence[NewAction]) -> dict[tuple[Any, ...], AcceptedAction]:
    """The actions that hold these keys now, locked: another process may have been first."""
    row = CorporateActionRow
    first, last = min(one.facts.ex_date for one in new), max(one.facts.ex_date for one in new)
    found: dict[tuple[Any, ...], AcceptedAction] = {}
    for group in in_groups(sorted({one.company_id for one in new})):
        query = select(*_COLUMNS).where(row.company_id.in_(group), *_between(first, last)).with_for_update()
        found.update({_key_of(action): action for action in _read(connection, query)})
    return found


def store_change(
    connection: Connection, before: AcceptedAction, after: AcceptedAction, change: Change, *, printed: str | None = None
) -> AcceptedAction | None:
    """Write ``after`` as the next version; None when somebody else changed the action since ``before`` was read."""
    row = CorporateActionRow
    written = replace(after, version=before.version + 1)
    values = {name: getattr(written, name) for name in _STATE}
    changed = connection.execute(
        update(row)
        .where(row.id == before.id, row.version == before.version)
        .values(
            kind_group=written.facts.group,
            **_values(written.facts),
            **values,
            **({} if printed is None else {"printed": printed}),
            dirty_since=change.at,
            last_seen_at=change.at,
        )
    )
    if changed.rowcount != 1:
        return None
    connection.execute(insert(CorporateActionVersion).values(**_version_row(written, change)))
    return written


def _values(facts: Facts) -> dict[str, Any]:
    return {name: _plain_value(getattr(facts, name)) for name in _FACTS}


def _plain_value(value: Any) -> Any:
    return value.value if isinstance(value, AcceptedKind | PayDateStatus) else value


def _version_row(action: AcceptedAction, change: Change) -> dict[str, Any]:
    return {
        "corporate_action_id": action.id,
        "version": action.version,
        "facts": as_json(action),
        "source": change.source,
        "actor": change.actor,
        "reason": change.reason[:_LONGEST_REASON],
        "created_at": change.at,
    }


def as_json(action: AcceptedAction) -> str:
    """What is known of an action as JSON, numbers as text; what is not known is left out."""
    known = {name: getattr(action.facts, name) for name in _FACTS}
    known |= {"held": action.held_code if action.is_held else None, "seq": action.seq or None}
    known |= {"cancelled": action.is_cancelled or None}
    texts = {name: _text(value) for name, value in known.items() if value is not None}
    return json.dumps(texts, sort_keys=True)


def _text(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    return str(value) if isinstance(value, date) else _plain_value(value)
