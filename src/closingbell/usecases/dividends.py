"""What a person says of dividends that were entered or imported."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from closingbell.domain.orders import COMPANY_INCOME
from closingbell.errors import UsageError
from closingbell.jobs.context import JobContext
from closingbell.stores import accounts, actions, companies, dividend_writing, orders
from closingbell.usecases.audited import write_down
from closingbell.usecases.reasons import By


@dataclass(frozen=True, slots=True)
class LinkedDividend:
    """An entry that stands for an action from now on, whatever its amount."""

    order_id: int
    action_id: int
    account: str
    symbol: str


def link_dividend(context: JobContext, order_id: int, action_id: int, *, by: By | None = None) -> LinkedDividend:
    """Have an account's own entry stand for a corporate action: it is not paid besides; the next run books that.

    Raise UsageError when the order is no dividend of that company, or is deleted.
    """

    def unit(connection: Connection) -> LinkedDividend:
        order = orders.find_order(connection, order_id)
        if order is None or order.deleted_at is not None or order.type not in COMPANY_INCOME:
            raise UsageError(f"order {order_id} is no dividend in the books; see: closingbell export orders")
        action = actions.require_action(connection, action_id)
        company = companies.load_by_symbol(connection, [order.symbol or ""]).get(order.symbol or "")
        account = accounts.find_account_facts(connection, order.account)
        if company is None or account is None or company.id != action.company_id:
            raise UsageError(f"order {order_id} is of {order.symbol}, corporate action {action_id} of another company")
        dividend_writing.tie_entry(
            connection,
            action_id=action_id,
            account_id=account.id,
            company_id=company.id,
            order_id=order_id,
            now=context.clock.now(),
        )
        told = f"corporate action {action_id} of {company.symbol}"
        write_down(context, connection, by, "link dividend", f"{order_id} {order.account}", told)
        return LinkedDividend(order_id, action_id, order.account, company.symbol)

    return context.database.write_unit(unit)
