"""What a payment would be with the rounding and the rates that hold now, by the rule that books all others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from closingbell.domain.actions import AcceptedAction
from closingbell.domain.payments import BookedLeg, HolderBooks, Leg
from closingbell.errors import UnknownPaymentError, UsageError
from closingbell.jobs.dividend_books import load_facts, load_rulebook
from closingbell.jobs.dividend_deciding import decide
from closingbell.stores import accounts, actions, dividend_progress, payments
from closingbell.stores.accounts import AccountFacts

# Others follow from these, or from shares alone.
RATED = (Leg.ACCRUAL, Leg.PAYMENT, Leg.CIL)
_EASTMOST = timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class Rerated:
    """Legs of a payment as they stand and as they would be booked anew, each with the other; none where all stays."""

    payment_id: int
    account: AccountFacts
    symbol: str
    action: AcceptedAction
    changes: tuple[tuple[BookedLeg, BookedLeg], ...]


def load_rerated(connection: Connection, payment_id: int, *, now: datetime, lag: int | None) -> Rerated:
    """What becomes of a payment when it is rated again.

    Raise UnknownPaymentError, or UsageError for one that has no rates of its own, stands no more, or waits for a person
    or a rate.
    """
    found = payments.find_leg(connection, payment_id)
    if found is None:
        raise UnknownPaymentError(f"no payment {payment_id} is on record; see: closingbell payments")
    leg, is_active = found
    action = actions.load_action(connection, leg.action_id)
    assert action is not None
    if not is_active:
        raise UsageError(
            f"payment {payment_id} was taken back already; see: closingbell payments --action {leg.action_id}"
        )
    if leg.leg not in RATED:
        raise UsageError(f"payment {payment_id} is a {leg.leg}, which has no rates of its own to be rated by again")
    if action.is_held:
        raise UsageError(
            f"corporate action {action.id} is held, and its payments stand still; "
            f"see: closingbell actions show {action.id}"
        )
    latest = (now + _EASTMOST).date()
    waiting = dividend_progress.load_waiting(connection, latest=latest, company_ids=[action.company_id], is_sweep=True)[
        action.company_id
    ]
    rulebook = load_rulebook(connection, lag=lag)
    [facts] = load_facts(connection, [waiting], rulebook, now=now, account_id=leg.account_id)
    books = facts.books.setdefault(leg.account_id, HolderBooks())
    books.rerates[action.id] = "asked"
    before = {key: one for key, one in books.active.items() if key[0] == action.id}
    changes = [one for account_id, one in decide(facts).changes if account_id == leg.account_id]
    waits = [wait.what for one in changes for wait in one.waiting if wait.action_id == action.id]
    booked = [one for of in changes for one in of.bookings if one.action_id == action.id and one.leg in RATED]
    if waits:
        raise UsageError(f"payment {payment_id}: {waits[0]}; enter it with closingbell books fx FROM TO DATE RATE")
    account = accounts.load_accounts(connection, [leg.account_id])[leg.account_id]
    pairs = [(before[one.action_id, one.leg], one) for one in booked if (one.action_id, one.leg) in before]
    return Rerated(payment_id, account, waiting.symbol, action, tuple(pairs))
