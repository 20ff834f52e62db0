"""Payments that wait for a person's word: by the account's choice, or from before the books were taken over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from closingbell.domain.money import MONEY_SCALE, QUANTITY_SCALE, from_scaled, plain
from closingbell.jobs.dividend_suggesting import Suggested, load_suggestions
from closingbell.queries.portfolio import chosen_accounts
from closingbell.stores import companies
from closingbell.stores.database import Database


@dataclass(frozen=True, slots=True)
class SuggestionView:
    """A suggested payment: what would be booked, of which corporate action (``action_id``) and in which account.

    Tax is an estimate. ``pay_date`` is None while it is not known. ``decision`` is what was said of it: accepted,
    dismissed, or nothing yet. ``remark`` says what would still keep it back.
    """

    action_id: int
    account: str
    symbol: str
    kind: str
    ex_date: date
    pay_date: date | None
    pay_date_status: str
    quantity: Decimal
    per_share: Decimal | None
    gross: Decimal
    tax: Decimal
    net: Decimal
    currency: str
    decision: str | None
    remark: str


def list_suggestions(
    database: Database,
    *,
    now: datetime,
    lag: int | None,
    account: str | None = None,
    symbols: tuple[str, ...] | None = None,
    with_decided: bool = False,
) -> list[SuggestionView]:
    """What is suggested, by account and ex-date; ``lag`` is the setting of estimated pay dates.

    ``with_decided``: also what is dismissed, or accepted and not booked yet.

    Raise UnknownAccountError or UnknownSymbolError that names what is not known.
    """
    with database.read() as connection:
        chosen = list(chosen_accounts(connection, account))
        ids = None if symbols is None else companies.require_known(connection, symbols)
        found = load_suggestions(connection, now=now, lag=lag, chosen=chosen, company_ids=ids)
    return [_view(one) for one in found if with_decided or one.is_open]


def _view(one: Suggested) -> SuggestionView:
    facts, said = one.action.facts, one.suggestion
    remarks = ["held: it waits for a decision on the corporate action too"] if one.action.is_held else []
    if said.shares is not None:
        shares = plain(from_scaled(said.shares, QUANTITY_SCALE))
        remarks.append(f"{shares} shares of {facts.child_symbol} would come; the amount is the cost that they take")
    return SuggestionView(
        one.action.id,
        one.account.name,
        one.symbol,
        facts.kind.value,
        facts.ex_date,
        one.pay.date,
        one.pay.status.value,
        from_scaled(said.quantity, QUANTITY_SCALE),
        facts.amount,
        from_scaled(said.gross, MONEY_SCALE),
        from_scaled(said.tax, MONEY_SCALE),
        from_scaled(said.net, MONEY_SCALE),
        said.currency,
        "accepted" if one.is_accepted else "dismissed" if said.is_dismissed else None,
        "; ".join(remarks),
    )
