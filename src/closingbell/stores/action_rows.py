"""What providers printed of corporate actions: one row for each print, with what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select, update

from closingbell.domain.action_judging import Print, RowVerdict
from closingbell.domain.corporate_actions import ActionKind, CorporateAction
from closingbell.models import Company, CorporateActionRow, CorporateActionSourceRow
from closingbell.stores.upsert import in_groups, upsert

_KEY = ("company_id", "provider", "kind", "ex_date", "currency", "seq", "printed")
_CHANGING = (
    "amount", "numerator", "denominator", "last_seen_at", "seen_count", "streak_since", "verdict", "note",
    "corporate_action_id", "told_at",
)  # fmt: skip
_LONGEST_NOTE = 500
_UNCONFIRMED = tuple(
    verdict.value for verdict in (RowVerdict.CORRECTION_CANDIDATE, RowVerdict.MOVE_CANDIDATE, RowVerdict.SPLIT_GLITCH)
)


def load_prints(
    connection: Connection, company_ids: Sequence[int], *, provider: str, first: date
) -> dict[int, list[Print]]:
    """What a provider printed of these companies for ex-dates from ``first`` on, in the order it was last seen."""
    row = CorporateActionSourceRow
    found: dict[int, list[Print]] = {}
    for group in in_groups(company_ids):
        query = select(row).where(row.company_id.in_(group), row.provider == provider, row.ex_date >= first)
        for one in connection.execute(_columns(query).order_by(row.last_seen_at, row.id)):
            found.setdefault(one.company_id, []).append(_print_of(one))
    return found


def load_waiting(connection: Connection) -> dict[tuple[int, str], list[Print]]:
    """Rows that wait for a close, by company and provider."""
    row = CorporateActionSourceRow
    query = _columns(select(row)).where(row.verdict == RowVerdict.WAITING).order_by(row.ex_date, row.id)
    found: dict[tuple[int, str], list[Print]] = {}
    for one in connection.execute(query):
        found.setdefault((one.company_id, one.provider), []).append(_print_of(one))
    return found


def load_of_action(connection: Connection, action_id: int) -> list[Print]:
    """All that was printed of one action, in the order it was last seen."""
    row = CorporateActionSourceRow
    query = _columns(select(row)).where(row.corporate_action_id == action_id).order_by(row.last_seen_at, row.id)
    return [_print_of(one) for one in connection.execute(query)]


def store_verdict(connection: Connection, print_id: int, verdict: RowVerdict) -> None:
    """What a person made of a print."""
    row = CorporateActionSourceRow
    connection.execute(update(row).where(row.id == print_id).values(verdict=verdict.value))


def _columns(query: Any) -> Any:
    row = CorporateActionSourceRow
    return query.with_only_columns(row.id, row.company_id, row.provider, *(getattr(row, name) for name in _READ))


_READ = (
    "kind", "ex_date", "currency", "seq", "printed", "amount", "numerator", "denominator", "verdict",
    "corporate_action_id", "streak_since", "last_seen_at", "seen_count", "told_at",
    "first_seen_at",
)  # fmt: skip


def _print_of(one: Any) -> Print:
    row = CorporateAction(
        ActionKind(one.kind), one.ex_date, one.amount, one.currency, one.numerator, one.denominator, one.printed
    )
    return Print(
        id=one.id,
        row=row,
        seq=one.seq,
        verdict=RowVerdict(one.verdict),
        action_id=one.corporate_action_id,
        streak_since=one.streak_since,
        last_seen_at=one.last_seen_at,
        seen_count=one.seen_count,
        told_at=one.told_at,
        first_seen_at=one.first_seen_at,
    )


def store_prints(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write down what was printed, new or seen again; see ``print_row``."""
    upsert(connection, CorporateActionSourceRow, rows, key=_KEY, update=_CHANGING)


def print_row(
    company_id: int,
    provider: str,
    row: CorporateAction,
    *,
    seq: int,
    verdict: RowVerdict,
    note: str | None,
    action_id: int | None,
    at: datetime,
    before: Print | None,
    streak_since: datetime,
    told_at: datetime | None,
) -> dict[str, Any]:
    """A row for ``store_prints``; ``before`` is the same print as it was seen last."""
    return {
        "company_id": company_id,
        "provider": provider,
        "kind": row.kind.value,
        "ex_date": row.ex_date,
        "currency": row.currency,
        "seq": seq,
        "printed": row.printed,
        "amount": row.amount,
        "numerator": row.numerator,
        "denominator": row.denominator,
        "first_seen_at": at,
        "last_seen_at": at,
        "seen_count": 1 if before is None else before.seen_count + 1,
        "streak_since": streak_since,
        "verdict": verdict.value,
        "note": None if note is None else note[:_LONGEST_NOTE],
        "corporate_action_id": action_id,
        "told_at": told_at,
    }


def load_missed(connection: Connection, company_ids: Sequence[int]) -> dict[int, tuple[int, datetime]]:
    """Actions that the last answers should have told of and did not: how often for sure, and since when."""
    row = CorporateActionRow
    missed: dict[int, tuple[int, datetime]] = {}
    for group in in_groups(company_ids):
        query = select(row.id, row.missed_count, row.missed_since).where(
            row.company_id.in_(group), row.missed_since.is_not(None)
        )
        for action_id, count, since in connection.execute(query):
            if since is not None:
                missed[action_id] = (count, since)
    return missed


def load_companies_in_doubt(connection: Connection) -> set[int]:
    """Companies of which the last answers left out an action, or told differently of one, which is to be confirmed.

    What the last answer that told of everything did not repeat is over.
    """
    row, told = CorporateActionRow, CorporateActionSourceRow
    missing = select(row.company_id).where(row.missed_since.is_not(None), row.is_cancelled.is_(False))
    changed = (
        select(told.company_id)
        .join(Company, Company.id == told.company_id)
        .where(told.verdict.in_(_UNCONFIRMED), told.last_seen_at >= Company.actions_read_at)
    )
    return set(connection.scalars(missing.distinct())) | set(connection.scalars(changed.distinct()))


def load_providers(connection: Connection, company_ids: Sequence[int], *, first: date) -> dict[int, str]:
    """Who told of each action with an ex-date from ``first`` on."""
    row = CorporateActionRow
    providers: dict[int, str] = {}
    for group in in_groups(company_ids):
        query = select(row.id, row.provider).where(row.company_id.in_(group), row.ex_date >= first)
        for action_id, provider in connection.execute(query):
            providers[action_id] = provider
    return providers


def store_missed(connection: Connection, missed: Mapping[int, tuple[int, datetime | None]]) -> None:
    """Count answers without an action; (0, None) once it is told again."""
    row = CorporateActionRow
    for action_id, (count, since) in missed.items():
        connection.execute(update(row).where(row.id == action_id).values(missed_count=count, missed_since=since))
