"""A booked payment computed anew, at a person's word: its rounding and rates are frozen until somebody asks."""

from __future__ import annotations

from sqlalchemy import Connection

from closingbell.jobs.context import JobContext
from closingbell.jobs.dividend_rerating import Rerated, load_rerated
from closingbell.stores import dividend_progress, dividend_writing
from closingbell.usecases.audited import write_down
from closingbell.usecases.reasons import LONGEST, By, checked_name, checked_reason


def preview_rerate(context: JobContext, payment_id: int) -> Rerated:
    """What would be booked in place of a payment; nothing is written. Errors are those of ``rerate_payment``."""
    with context.database.read() as connection:
        return load_rerated(connection, payment_id, now=context.clock.now(), lag=context.settings.dividend_pay_lag_days)


def rerate_payment(context: JobContext, payment_id: int, *, by: By, why: str) -> Rerated:
    """Have the next dividend run compute a payment anew: with the account's rounding, and the rates valid on its day.

    Where that changes nothing, nothing is written. Raise UnknownPaymentError, or UsageError where it cannot be done or
    no reason is given.
    """
    who, reason = checked_name(by), checked_reason(why, ask="say why the payment is rated again: --why")
    now, lag = context.clock.now(), context.settings.dividend_pay_lag_days

    def unit(connection: Connection) -> Rerated:
        found = load_rerated(connection, payment_id, now=now, lag=lag)
        if not found.changes:
            return found
        action = found.action
        dividend_writing.store_rerate(
            connection,
            action_id=action.id,
            account_id=found.account.id,
            reason=f"rated again by {who}: {reason}"[:LONGEST],
            now=now,
        )
        since = [(action.company_id, action.ex_date)]
        dividend_progress.mark(connection, since, reason=dividend_progress.SETTINGS_CHANGED, now=now)
        target = f"payment {payment_id}, {found.account.name}"[:200]
        told = f"{found.symbol} {action.ex_date}: {reason}"
        write_down(context, connection, by, "rate again", target, told)
        return found

    return context.database.write_unit(unit)
