"""Shares bought for dividends, and entries of people's own that stand for a payment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time
from typing import Any

from sqlalchemy import Connection, delete, select

from closingbell.domain.money import MONEY_SCALE, PRICE_SCALE, QUANTITY_SCALE, from_scaled
from closingbell.domain.payments import BookedLeg, Link, Reversal
from closingbell.models import DividendChoice, DividendLink, DividendRerate, Order, ScripElection
from closingbell.stores import books, orders, payments
from closingbell.stores.dividend_progress import SETTINGS_CHANGED, mark
from closingbell.stores.upsert import in_groups, table_of, upsert

SOURCE = "dividend"
_EVENING = time(21, tzinfo=UTC)
_ORDER = table_of(Order).c
_LINK = table_of(DividendLink).c


def store_purchases(
    connection: Connection, legs: Sequence[tuple[int, BookedLeg]], *, now: datetime
) -> list[tuple[int, BookedLeg]]:
    """Make and post the order that each DRIP leg (company, leg) is; the legs with their orders' numbers."""
    if not legs:
        return []
    upsert(
        connection, Order, [_order(company_id, leg, now) for company_id, leg in legs], key=("account_id", "source_key")
    )
    numbers: dict[tuple[int, str], int] = {}
    for keys in in_groups([_key(leg) for _, leg in legs]):
        found = connection.execute(
            select(_ORDER.account_id, _ORDER.source_key, _ORDER.id).where(_ORDER.source_key.in_(keys))
        )
        numbers |= {(account_id, key): number for account_id, key, number in found}
    orders.post(connection, numbers.values(), now=now, follows_dividend=True)
    return [(company_id, leg._replace(order_id=numbers[leg.account_id, _key(leg)])) for company_id, leg in legs]


def take_out_purchase(connection: Connection, account_id: int, order_id: int, *, by: str, now: datetime) -> None:
    """Take the DRIP leg back whose order a person deletes in the same transaction.

    Nothing is bought again for that dividend: a version of the leg is on record. The leg itself has no entries, the
    order has them.
    """
    leg = payments.find_purchase(connection, account_id, order_id)
    if leg is None:
        return
    lock_date = books.load_book_settings(connection).lock_date
    day = orders.open_date(leg.value_date, lock_date, now)
    reason = f"the shares that it bought were taken out by {by}"[:200]
    payments.store_reversals(connection, [Reversal(leg, day, reason)], now=now, run_id=None)


def _key(leg: BookedLeg) -> str:
    return f"{SOURCE}:{leg.action_id}:{leg.account_id}"


def _order(company_id: int, leg: BookedLeg, now: datetime) -> dict[str, Any]:
    is_converted = leg.currency != leg.cash_currency
    return {
        "account_id": leg.account_id,
        "company_id": company_id,
        "type": "BUY",
        "trade_date": leg.due_date,
        "executed_at": datetime.combine(leg.due_date, _EVENING),
        "quantity": from_scaled(leg.quantity, QUANTITY_SCALE),
        "price": None if is_converted or leg.price is None else from_scaled(leg.price, PRICE_SCALE),
        "amount": from_scaled(-leg.cash, MONEY_SCALE),
        "fee": 0,
        "tax": 0,
        "currency": leg.cash_currency,
        "source": SOURCE,
        "source_key": _key(leg),
        "note": "reinvested dividend",
        "created_at": now,
    }


def store_links(
    connection: Connection,
    account_id: int,
    links: Sequence[Link],
    *,
    before: Sequence[tuple[int, int, bool]],
    now: datetime,
) -> None:
    """Write down which entries stand for what in one account; ``before``: action, order, whether a person tied it."""
    current = {link.action_id for link in links}
    for action_id, _, is_by_person in before:
        if action_id not in current and not is_by_person:
            connection.execute(
                delete(DividendLink).where(_LINK.corporate_action_id == action_id, _LINK.account_id == account_id)
            )
    by_person = {(action_id, order_id) for action_id, order_id, is_by_person in before if is_by_person}
    rows = [
        {
            "corporate_action_id": link.action_id,
            "account_id": account_id,
            "order_id": link.order_id,
            "is_by_person": (link.action_id, link.order_id) in by_person,
            "gross": from_scaled(link.gross, MONEY_SCALE),
            "net": from_scaled(link.net, MONEY_SCALE),
            "currency": link.currency,
            "linked_at": now,
        }
        for link in links
    ]
    upsert(connection, DividendLink, rows, update=("order_id", "gross", "net", "currency"))


def store_choice(
    connection: Connection,
    *,
    action_id: int,
    account_id: int,
    company_id: int,
    is_accepted: bool,
    by: str,
    now: datetime,
) -> None:
    """A person's word on a suggestion; the newest counts."""
    row = {
        "corporate_action_id": action_id,
        "account_id": account_id,
        "is_accepted": is_accepted,
        "decided_by": by,
        "decided_at": now,
    }
    upsert(connection, DividendChoice, [row], update=("is_accepted", "decided_by", "decided_at"))
    mark(connection, [(company_id, None)], reason=SETTINGS_CHANGED, now=now)


def store_election(
    connection: Connection, *, action_id: int, account_id: int, takes_shares: bool | None, by: str, now: datetime
) -> None:
    """A person's choice for one dividend that may be had in shares; None takes it back."""
    row = table_of(ScripElection).c
    connection.execute(delete(ScripElection).where(row.corporate_action_id == action_id, row.account_id == account_id))
    if takes_shares is not None:
        chosen = {"corporate_action_id": action_id, "account_id": account_id, "takes_shares": takes_shares}
        upsert(connection, ScripElection, [{**chosen, "elected_by": by, "elected_at": now}])


def store_rerate(connection: Connection, *, action_id: int, account_id: int, reason: str, now: datetime) -> None:
    """A person's word that what was booked for an entitlement is computed anew."""
    row = {"corporate_action_id": action_id, "account_id": account_id, "reason": reason, "asked_at": now}
    upsert(connection, DividendRerate, [row], update=("reason", "asked_at"))


def remove_rerates(connection: Connection, done: Iterable[tuple[int, int, datetime]]) -> None:
    """These (action, account, when it was asked) are computed anew; what was asked again since stays."""
    row = table_of(DividendRerate).c
    for action_id, account_id, asked_at in done:
        of_one = row.corporate_action_id == action_id, row.account_id == account_id
        connection.execute(delete(DividendRerate).where(*of_one, row.asked_at <= asked_at))


def tie_entry(
    connection: Connection, *, action_id: int, account_id: int, company_id: int, order_id: int, now: datetime
) -> None:
    """A person's word that an entry stands for an action in an account, whatever its amount."""
    row = {
        "corporate_action_id": action_id,
        "account_id": account_id,
        "order_id": order_id,
        "is_by_person": True,
        "linked_at": now,
    }
    upsert(connection, DividendLink, [row], update=("order_id", "is_by_person"))
    mark(connection, [(company_id, None)], reason=SETTINGS_CHANGED, now=now)
