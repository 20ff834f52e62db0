"""Payments that are only suggested, worked out by the rule that books all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from closingbell.domain.actions import AcceptedAction, PayDateStatus
from closingbell.domain.market_zones import latest_date
from closingbell.domain.pay_dates import PayDate
from closingbell.domain.payments import Preference, Suggestion
from closingbell.jobs.dividend_books import CompanyFacts, load_facts, load_rulebook
from closingbell.jobs.dividend_deciding import decide
from closingbell.stores import accounts, dividend_progress
from closingbell.stores.accounts import AccountFacts
from closingbell.stores.upsert import in_groups

# Companies whose facts are read together.
_GROUP = 25


@dataclass(frozen=True, slots=True)
class Suggested:
    """A suggestion, with the account, the company and the corporate action that it is of.

    ``pay`` is the pay date that is used. ``is_accepted``: the next dividend run books it.
    """

    account: AccountFacts
    company_id: int
    symbol: str
    action: AcceptedAction
    pay: PayDate
    suggestion: Suggestion
    is_accepted: bool

    @property
    def is_open(self) -> bool:
        """Whether nobody has said anything of it yet."""
        return not self.is_accepted and not self.suggestion.is_dismissed


def load_suggestions(
    connection: Connection,
    *,
    now: datetime,
    lag: int | None,
    chosen: Sequence[AccountFacts] | None = None,
    company_ids: Sequence[int] | None = None,
) -> list[Suggested]:
    """What would be paid if the account, or the cut-over, did not leave it to a person; what is decided too, until it
    is booked.

    Of all accounts, or of those ``chosen``; of all companies, or of these.
    """
    rulebook = load_rulebook(connection, lag=lag)
    every = list(accounts.load_accounts(connection).values()) if chosen is None else list(chosen)
    asking = [one for one in every if _may_ask(one, is_cut_over=rulebook.settings.cutover_date is not None)]
    by_id = {one.id: one for one in asking}
    ids = accounts.load_company_ids(connection, sorted(by_id))
    ids = [one for one in ids if company_ids is None or one in company_ids]
    latest = latest_date(now)
    waiting = list(dividend_progress.load_waiting(connection, latest=latest, company_ids=ids, is_sweep=True).values())
    one_account = asking[0].id if len(asking) == 1 else None
    found: list[Suggested] = []
    for group in in_groups(waiting, _GROUP):
        for facts in load_facts(connection, group, rulebook, now=now, account_id=one_account):
            accepted = _take_accepted(facts)
            pay_dates = {one.id: one.pay for one in facts.terms.dividends}
            company = facts.waiting
            found += [
                Suggested(
                    by_id[one.account_id],
                    company.company_id,
                    company.symbol,
                    facts.found[one.action_id],
                    pay_dates.get(one.action_id) or _on_its_day(facts.found[one.action_id]),
                    one,
                    (one.action_id, one.account_id) in accepted,
                )
                for one in decide(facts).suggestions
                if one.account_id in by_id
            ]
    return sorted(found, key=_in_order)


def _take_accepted(facts: CompanyFacts) -> set[tuple[int, int]]:
    """Take the accepted ones, (action, account), out of the facts: they are looked at as if nobody had said so."""
    accepted = set()
    for account_id, books in facts.books.items():
        taken = [action_id for action_id, is_accepted in books.choices.items() if is_accepted]
        for action_id in taken:
            del books.choices[action_id]
            accepted.add((action_id, account_id))
    return accepted


def _on_its_day(action: AcceptedAction) -> PayDate:
    """Shares come on the ex-date."""
    return PayDate(action.ex_date, PayDateStatus.CONFIRMED)


def _may_ask(account: AccountFacts, *, is_cut_over: bool) -> bool:
    """Whether an account can have suggestions at all."""
    if account.dividend_preference == Preference.OFF:
        return False
    return is_cut_over or account.dividend_preference == Preference.SUGGEST


def _in_order(one: Suggested) -> tuple[str, date, str, int]:
    return one.account.name, one.action.ex_date, one.symbol, one.action.id
