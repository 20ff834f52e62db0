"""What a person says of suggested payments: to be paid like any other, or not wanted."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from closingbell.errors import UnknownAccountError, UsageError
from closingbell.jobs.context import JobContext
from closingbell.jobs.dividend_suggesting import Suggested, load_suggestions
from closingbell.stores import accounts, dividend_writing
from closingbell.stores.accounts import AccountFacts
from closingbell.usecases.audited import write_down
from closingbell.usecases.reasons import By, checked_name


def accept_suggestions(
    context: JobContext, account: str, action_ids: Sequence[int] | None, *, by: By
) -> list[Suggested]:
    """Have suggestions of an account paid as if it paid by itself, from the next dividend run on; dismissed ones too.

    ``action_ids`` None: all of which nothing was said yet. Raise UsageError for an action that nothing is suggested of.
    """
    return _decide(context, account, action_ids, is_accepted=True, by=by)


def dismiss_suggestions(
    context: JobContext, account: str, action_ids: Sequence[int] | None, *, by: By
) -> list[Suggested]:
    """Leave suggestions of an account alone: they are not shown again, unless somebody asks for what is decided.

    One that was accepted and is not booked yet can be dismissed. ``action_ids`` and errors as above.
    """
    return _decide(context, account, action_ids, is_accepted=False, by=by)


def _decide(
    context: JobContext, account: str, action_ids: Sequence[int] | None, *, is_accepted: bool, by: By
) -> list[Suggested]:
    now, lag = context.clock.now(), context.settings.dividend_pay_lag_days

    def unit(connection: Connection) -> list[Suggested]:
        facts = accounts.find_account_facts(connection, account)
        if facts is None:
            raise UnknownAccountError(f"no account is called {account!r}; see: closingbell accounts list")
        known = load_suggestions(connection, now=now, lag=lag, chosen=[facts])
        found = _chosen(facts, known, action_ids)
        for one in found:
            dividend_writing.store_choice(
                connection,
                action_id=one.action.id,
                account_id=facts.id,
                company_id=one.company_id,
                is_accepted=is_accepted,
                by=checked_name(by),
                now=now,
            )
        if found:
            what = "accept suggestion" if is_accepted else "dismiss suggestion"
            write_down(context, connection, by, what, *_told(facts.name, found))
        return found

    return context.database.write_unit(unit)


def _told(account: str, found: Sequence[Suggested]) -> tuple[str, str]:
    """Which suggestions were decided on, for the audit log."""
    numbers = ", ".join(str(one.action.id) for one in found)
    kind = "corporate action" if len(found) == 1 else "corporate actions"
    return f"{account}, {kind} {numbers}", ", ".join(f"{one.symbol} {one.action.ex_date}" for one in found)


def _chosen(account: AccountFacts, known: Sequence[Suggested], action_ids: Sequence[int] | None) -> list[Suggested]:
    if action_ids is None:
        return [one for one in known if one.is_open]
    by_action = {one.action.id: one for one in known}
    for action_id in action_ids:
        if action_id not in by_action:
            raise UsageError(
                f"nothing is suggested to {account.name} of corporate action {action_id}; "
                "see: closingbell suggestions list"
            )
    return [by_action[action_id] for action_id in dict.fromkeys(action_ids)]
