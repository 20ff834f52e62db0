"""Dividends that may be had in shares, and what each account takes: as the books count it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from closingbell.domain.actions import AcceptedAction, AcceptedKind
from closingbell.domain.elections import is_open, takes_shares
from closingbell.domain.market_zones import date_at
from closingbell.stores import accounts, actions, companies, dividend_facts
from closingbell.stores.accounts import AccountFacts

# Without a deadline nobody says when a choice ends; it is not asked for any more so long after the ex-date.
ASKED_FOR = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Election:
    """What an account takes of a dividend: shares or cash, by a choice for it alone or by its standing one.

    ``is_open``: the choice may still be made or changed.
    """

    account: AccountFacts
    symbol: str
    action: AcceptedAction
    takes_shares: bool
    is_standing: bool
    is_open: bool

    @property
    def deadline(self) -> date | None:
        """The last day of the choice."""
        return self.action.facts.election_deadline

    @property
    def price(self) -> Decimal | None:
        """The issuer's price for a share."""
        return self.action.facts.scrip_price


def load_elections(
    connection: Connection, chosen: Sequence[AccountFacts], *, now: datetime, with_closed: bool = False
) -> list[Election]:
    """Dividends with a choice of companies that these accounts have orders in, by account and ex-date.

    Those that may still be chosen for; ``with_closed`` every one. Cancelled ones are left out.
    """
    found: list[Election] = []
    for account in chosen:
        ids = accounts.load_company_ids(connection, [account.id])
        scrip = [
            action
            for of_company in actions.load_actions(connection, ids).values()
            for action in of_company
            if action.kind is AcceptedKind.SCRIP and not action.is_cancelled
        ]
        known = {one.id: one for one in companies.load_by_id(connection, {action.company_id for action in scrip})}
        elected = dividend_facts.load_elections(connection, [action.id for action in scrip])
        changes = accounts.load_changes(connection, "takes_scrip", [account.id]).get(account.id, [])
        for action in scrip:
            company, election = known[action.company_id], elected.get((action.id, account.id))
            deadline, today = action.facts.election_deadline, date_at(company.mic, now)
            takes = takes_shares(
                election,
                standing=account.takes_scrip,
                changes=[(date_at(company.mic, at), before) for at, before in changes],
                deadline=deadline,
            )
            takes = account.takes_scrip if takes is None else takes
            found.append(Election(account, company.symbol, action, takes, election is None, is_open(deadline, today)))
    asked = now.date() - ASKED_FOR
    wanted = [
        one
        for one in found
        if with_closed or (one.is_open and (one.deadline is not None or one.action.ex_date >= asked))
    ]
    return sorted(wanted, key=lambda one: (one.account.name, one.action.ex_date, one.symbol, one.action.id))
