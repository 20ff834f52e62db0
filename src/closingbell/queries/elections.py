"""Dividends that may be had in shares, as they are shown: until when, at what price, and what is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from closingbell.queries.portfolio import chosen_accounts
from closingbell.stores.database import Database
from closingbell.stores.scrip_elections import Election, load_elections


@dataclass(frozen=True, slots=True)
class ElectionView:
    """What an account takes of a dividend (``choice``: shares or cash), and whether that may still be changed.

    ``is_standing``: by the account's standing choice, for nobody chose for this dividend. ``price`` and ``deadline``
    are None while they are not known.
    """

    action_id: int
    account: str
    symbol: str
    ex_date: date
    per_share: Decimal | None
    currency: str
    price: Decimal | None
    deadline: date | None
    choice: str
    is_standing: bool
    is_open: bool


def list_elections(
    database: Database, *, now: datetime, account: str | None = None, with_closed: bool = False
) -> list[ElectionView]:
    """Dividends with a choice, by account and ex-date; those that are still open, or every one.

    Raise UnknownAccountError.
    """
    with database.read() as connection:
        chosen = chosen_accounts(connection, account)
        return [view_of(one) for one in load_elections(connection, chosen, now=now, with_closed=with_closed)]


def view_of(one: Election) -> ElectionView:
    """An election as it is shown."""
    facts = one.action.facts
    return ElectionView(
        one.action.id,
        one.account.name,
        one.symbol,
        facts.ex_date,
        facts.amount,
        facts.currency,
        one.price,
        one.deadline,
        "shares" if one.takes_shares else "cash",
        one.is_standing,
        one.is_open,
    )
