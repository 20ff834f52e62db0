"""What a person chooses of a dividend that may be had in shares: shares or cash, for one account."""

from __future__ import annotations

from sqlalchemy import Connection

from closingbell.domain.payments import Leg
from closingbell.errors import UnknownAccountError, UsageError
from closingbell.jobs.context import JobContext
from closingbell.stores import accounts, dividend_progress, dividend_writing, payments
from closingbell.stores.scrip_elections import Election, load_elections
from closingbell.usecases.audited import write_down
from closingbell.usecases.reasons import By, checked_name

_WORDS = {True: "shares", False: "cash", None: "the standing choice"}


def elect(
    context: JobContext,
    account: str,
    action_id: int,
    takes_shares: bool | None,
    *,
    by: By,
) -> Election:
    """Choose shares (True) or cash for one dividend of an account; None has its standing choice count again.

    The next dividend run books what follows; what was booked otherwise is corrected. Raise UsageError for an action
    with no such choice, after its deadline, or where shares were bought for the cash already.
    """
    now, who = context.clock.now(), checked_name(by)

    def unit(connection: Connection) -> Election:
        facts = accounts.find_account_facts(connection, account.strip())
        if facts is None:
            raise UnknownAccountError(f"no account is called {account.strip()!r}; see: closingbell accounts list")
        before = _find(load_elections(connection, [facts], now=now, with_closed=True), facts.name, action_id)
        if not before.is_open:
            raise UsageError(
                f"{before.symbol}, ex {before.action.ex_date}: the choice ended on {before.deadline}, and "
                f"{facts.name} takes {_WORDS[before.takes_shares]}; where the broker had a later deadline, enter it "
                f"with closingbell actions edit {action_id} --election-deadline DATE"
            )
        if takes_shares:
            _refuse_bought(connection, facts.id, action_id)
        dividend_writing.store_election(
            connection, action_id=action_id, account_id=facts.id, takes_shares=takes_shares, by=who, now=now
        )
        since = before.action.company_id, before.action.ex_date
        dividend_progress.mark(connection, [since], reason=dividend_progress.SETTINGS_CHANGED, now=now)
        target = f"{facts.name}, corporate action {action_id}"
        detail = f"{before.symbol} {before.action.ex_date}: {_WORDS[takes_shares]}"
        write_down(context, connection, by, "elect", target, detail)
        return _find(load_elections(connection, [facts], now=now, with_closed=True), facts.name, action_id)

    return context.database.write_unit(unit)


def _find(known: list[Election], account: str, action_id: int) -> Election:
    found = next((one for one in known if one.action.id == action_id), None)
    if found is None:
        raise UsageError(
            f"corporate action {action_id} offers {account} no shares in place of cash; see: closingbell elections list"
        )
    return found


def _refuse_bought(connection: Connection, account_id: int, action_id: int) -> None:
    """Cash that bought shares at the market cannot be had in shares too."""
    legs = payments.load_legs(connection, [action_id], account_ids=(account_id, account_id))
    bought = next((leg for leg, is_active, _ in legs if is_active and leg.leg is Leg.DRIP), None)
    if bought is not None:
        raise UsageError(
            f"the cash was reinvested by order {bought.order_id}; take that out first: "
            f"closingbell orders delete {bought.order_id}"
        )
