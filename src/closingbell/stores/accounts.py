"""Accounts and what each of them decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from closingbell.models import Account, AccountChange, HoldingChoice, Order
from closingbell.stores.dividend_progress import SETTINGS_CHANGED, mark, mark_account
from closingbell.stores.upsert import in_groups, upsert


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """An account: its currency, and how dividends and fractions of shares are settled in it."""

    id: int
    name: str
    currency: str = "USD"
    residence: str | None = None
    rounding: str = "HALF_UP"
    fraction_policy: str = "KEEP"
    is_reinvesting: bool = False
    drip_decimals: int = 4
    dividend_preference: str = "AUTO"
    opened_date: date | None = None
    takes_scrip: bool = False


# Choices of which it counts what they were on a day.
_DATED = (Account.takes_scrip, Account.is_reinvesting)
_FACTS = [getattr(Account, name) for name in AccountFacts.__dataclass_fields__]


def load_accounts(connection: Connection, ids: Sequence[int] | None = None) -> dict[int, AccountFacts]:
    """Accounts by id, in the order of their names; all of them, or those of ``ids``."""
    query = select(*_FACTS).order_by(Account.name)
    groups: Sequence[Sequence[int] | None] = [None] if ids is None else list(in_groups(ids))
    found: list[AccountFacts] = []
    for group in groups:
        rows = connection.execute(query if group is None else query.where(Account.id.in_(group)))
        found += [AccountFacts(*row) for row in rows]
    return {facts.id: facts for facts in sorted(found, key=lambda facts: facts.name)}


def find_account_facts(connection: Connection, name: str) -> AccountFacts | None:
    """The account of that name."""
    row = connection.execute(select(*_FACTS).where(Account.name == name)).one_or_none()
    return None if row is None else AccountFacts(*row)


def load_company_ids(connection: Connection, account_ids: Sequence[int]) -> list[int]:
    """The companies that any of these accounts has orders in."""
    found: set[int] = set()
    for group in in_groups(account_ids):
        query = select(Order.company_id).where(Order.account_id.in_(group), Order.company_id.is_not(None)).distinct()
        found |= {company_id for company_id in connection.scalars(query) if company_id is not None}
    return sorted(found)


def store_new_account(connection: Connection, name: str, *, currency: str, now: datetime) -> None:
    """Make an account that is not there yet; two processes may do so at once."""
    upsert(connection, Account, [{"name": name, "currency": currency, "created_at": now}], key=("name",))


def store_owner(connection: Connection, account_id: int, user_id: int | None) -> None:
    """Make an account a person's own, or with None nobody's."""
    connection.execute(update(Account).where(Account.id == account_id).values(user_id=user_id))


def store_name(connection: Connection, account_id: int, name: str) -> None:
    """Call an account otherwise; an IntegrityError says that the name is taken."""
    connection.execute(update(Account).where(Account.id == account_id).values(name=name))


def store_account_settings(connection: Connection, account_id: int, *, now: datetime, **changes: Any) -> None:
    """Change what an account decides; names are those of AccountFacts. What is booked for it is looked at again."""
    _remember(connection, account_id, changes, now)
    connection.execute(update(Account).where(Account.id == account_id).values(**changes))
    mark_account(connection, account_id, now=now)


def _remember(connection: Connection, account_id: int, changes: dict[str, Any], now: datetime) -> None:
    """Write down what the choices were whose past counts."""
    before = connection.execute(select(*_DATED).where(Account.id == account_id)).one()
    rows = [
        {"account_id": account_id, "name": name, "was_chosen": was, "changed_at": now}
        for name, was in before._mapping.items()
        if name in changes and changes[name] != was
    ]
    if rows:
        connection.execute(insert(AccountChange), rows)


def load_changes(
    connection: Connection, name: str, account_ids: Sequence[int]
) -> dict[int, list[tuple[datetime, bool]]]:
    """When these accounts changed a choice, and what it was before, in the order of the changes."""
    row = AccountChange
    found: dict[int, list[tuple[datetime, bool]]] = {}
    for group in in_groups(account_ids):
        query = select(row.account_id, row.changed_at, row.was_chosen).where(
            row.account_id.in_(group), row.name == name
        )
        for account_id, at, before in connection.execute(query.order_by(row.id)):
            found.setdefault(account_id, []).append((at, before))
    return found


@dataclass(frozen=True, slots=True)
class HoldingChoiceFacts:
    """What an account chooses for one company, and since when; None is what it chooses for all."""

    account_id: int
    company_id: int
    is_reinvesting: bool | None
    chosen_at: datetime


def load_holding_choices(
    connection: Connection, *, account_ids: Sequence[int] | None = None, company_ids: Sequence[int] | None = None
) -> list[HoldingChoiceFacts]:
    """What accounts choose for single companies; of all of them, or of some accounts or companies."""
    row = HoldingChoice
    query = select(row.account_id, row.company_id, row.is_reinvesting, row.chosen_at).order_by(row.company_id)
    if account_ids is not None:
        query = query.where(row.account_id.in_(account_ids))
    if company_ids is not None:
        query = query.where(row.company_id.in_(company_ids))
    return [HoldingChoiceFacts(*found) for found in connection.execute(query)]


def store_holding_choice(
    connection: Connection, account_id: int, company_id: int, is_reinvesting: bool | None, *, by: str, now: datetime
) -> None:
    """Choose for one company, or None: as the account chooses. What is booked for it is looked at again."""
    row = {"account_id": account_id, "company_id": company_id, "is_reinvesting": is_reinvesting}
    chosen = {**row, "chosen_by": by, "chosen_at": now}
    upsert(connection, HoldingChoice, [chosen], update=("is_reinvesting", "chosen_by", "chosen_at"))
    mark(connection, [(company_id, None)], reason=SETTINGS_CHANGED, now=now)
