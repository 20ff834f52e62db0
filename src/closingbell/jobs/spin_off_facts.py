"""What decides about a company's spin-offs; nothing is read for a company that has none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from closingbell.domain.actions import AcceptedAction, AcceptedKind
from closingbell.domain.money import PRICE_SCALE, QUANTITY_SCALE, to_scaled
from closingbell.domain.payments import SPUN, Holder, HolderBooks
from closingbell.domain.spin_offs import Child, SpinOff, SpinOffFacts
from closingbell.stores import actions, companies, dividend_facts, spin_offs

_DAY = timedelta(days=1)


def load_spin_offs(
    connection: Connection,
    company_id: int,
    found: Sequence[AcceptedAction],
    books: Mapping[int, HolderBooks],
    holders: Iterable[Holder],
    *,
    currency: str,
    as_of: date | None,
) -> SpinOffFacts | None:
    """The spin-offs among a company's actions (those up to ``as_of``), and what was booked as one; None without any."""
    legs = [leg for of in books.values() for leg in of.active.values() if leg.leg in SPUN]
    booked = {leg.action_id for leg in legs}
    chosen = [
        action
        for action in found
        if (action.kind is AcceptedKind.SPIN_OFF or action.id in booked) and action.ex_date <= (as_of or date.max)
    ]
    if not chosen:
        return None
    symbols = sorted({action.facts.child_symbol for action in chosen if action.facts.child_symbol})
    known = companies.load_by_symbol(connection, symbols)
    terms = []
    for action in chosen:
        company = known.get(action.facts.child_symbol or "")
        child = None if company is None else Child(company.id, company.currency or currency)
        terms.append(_terms(connection, action, child, as_of or date.max))
    own = {}
    for event in terms:
        if event.child is not None:
            of_child = spin_offs.load_own(connection, event.child.company_id, event.ex_date)
            own.update({(event.id, account_id): shares for account_id, shares in of_child.items()})
    costs = spin_offs.load_costs(connection, company_id)
    currencies = {one.child.currency for one in terms if one.child is not None}
    currencies |= {code for cost in costs.values() for code in cost.currencies} | {one.currency for one in holders}
    days = [one.ex_date for one in terms]
    exchange = {}
    if len(currencies) > 1:
        exchange = dividend_facts.load_exchange(connection, sorted(currencies), first=min(days) - _DAY, last=max(days))
    return SpinOffFacts(
        tuple(sorted(terms, key=lambda event: (event.ex_date, event.id))),
        costs,
        actions.load_splits(connection, [company_id]).get(company_id, {}),
        spin_offs.load_standing(connection, [leg.order_id for leg in legs if leg.order_id is not None]),
        own,
        lambda source, target, on: dividend_facts.newest_rate(exchange.get((source, target), ()), on),
    )


def _terms(connection: Connection, action: AcceptedAction, child: Child | None, last: date) -> SpinOff:
    facts = action.facts
    price = facts.cash_in_lieu_price
    close = None
    if child is not None:
        close = spin_offs.load_first_close(connection, child.company_id, action.ex_date, last=last)
    return SpinOff(
        action.id,
        facts.ex_date,
        facts.ratio,
        to_scaled(facts.parent_basis_pct or Decimal(0), QUANTITY_SCALE),
        child,
        action.version,
        action.is_held,
        # One that turned out to be something else brought nothing.
        action.is_cancelled or action.kind is not AcceptedKind.SPIN_OFF,
        None if price is None else to_scaled(price, PRICE_SCALE),
        close,
    )
