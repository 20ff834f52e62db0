"""What would be kept of an action that a person enters or edits, and who is entitled; nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from closingbell.domain.actions import PAYING, AcceptedAction, Facts
from closingbell.domain.dividends import dividend_amounts
from closingbell.domain.entitlements import Split, entitled_quantity
from closingbell.domain.money import MONEY_SCALE, QUANTITY_SCALE, from_scaled, grouped, plain, to_scaled
from closingbell.jobs.context import JobContext
from closingbell.stores import actions, companies, dividend_facts
from closingbell.usecases.actions import TypedAction, edited, ex_date_asked_for, next_seq, read_typed
from closingbell.usecases.reasons import checked_reason


@dataclass(frozen=True, slots=True)
class KeptAction:
    """An action as it is kept now, and whose it is."""

    symbol: str
    action: AcceptedAction


@dataclass(frozen=True, slots=True)
class ActionPreview:
    """An action as it would be kept, and by what accounts hold now: how many are entitled, to how much before tax.

    ``gross`` is in the facts' currency, None where no money moves. ``seq`` is the number that it would get among those
    of its kind and day.
    """

    facts: Facts
    seq: int
    account_count: int
    shares: Decimal
    gross: Decimal | None

    def in_words(self) -> str:
        """``would pay 41 accounts 1,203.10 USD before tax``."""
        if not self.account_count:
            return "nobody held a share at the close before the ex-date"
        accounts = f"{self.account_count:,} account{'s' * (self.account_count != 1)}"
        if self.gross is None:
            return f"would concern {accounts} with {_grouped(self.shares)} shares"
        return f"would pay {accounts} {grouped(self.gross)} {self.facts.currency} before tax"


def _grouped(shares: Decimal) -> str:
    whole, _, rest = plain(shares).partition(".")
    return f"{int(whole):,}" + (f".{rest}" if rest.strip("0") else "")


def find_action(context: JobContext, action_id: int) -> KeptAction:
    """An action by its number; raise UsageError when there is none."""
    with context.database.read() as connection:
        action = actions.require_action(connection, action_id)
        return KeptAction(companies.load_by_id(connection, [action.company_id])[0].symbol, action)


def preview_new(context: JobContext, typed: TypedAction, *, why: str) -> ActionPreview:
    """What entering an action would do; raise UsageError where that cannot be."""
    checked_reason(why)
    company, facts = read_typed(context, typed)
    with context.database.read() as connection:
        seq = next_seq(connection, company, facts, typed)
        return _preview(connection, company.id, facts, seq)


def preview_edit(
    context: JobContext, action_id: int, changes: Mapping[str, Any], *, version: int, why: str
) -> ActionPreview:
    """What editing an action would do; raise UsageError where that cannot be."""
    checked_reason(why)
    told = ex_date_asked_for(context, action_id, changes)
    kept = find_action(context, action_id)
    with context.database.read() as connection:
        after = edited(connection, kept.action, changes=changes, told=told, version=version)
        return _preview(connection, after.company_id, after.facts, after.seq)


def _preview(connection: Connection, company_id: int, facts: Facts, seq: int) -> ActionPreview:
    trades = dividend_facts.load_trades(connection, [company_id])[company_id]
    holders = dividend_facts.load_holders(connection, trades)
    known = actions.load_splits(connection, [company_id]).get(company_id, {})
    splits = [Split(day, ratio.numerator, ratio.denominator) for day, ratio in known.items()]
    gross = shares = count = 0
    amount = to_scaled(facts.amount, QUANTITY_SCALE) if facts.kind in PAYING and facts.amount else 0
    for account_id, moves in trades.items():
        holder = holders[account_id]
        quantity = entitled_quantity(moves, splits, facts.ex_date, holder.fractions)
        count += quantity != 0
        shares += quantity
        gross += dividend_amounts(quantity, amount, facts.currency, 0, holder.rounding).gross
    money = from_scaled(gross, MONEY_SCALE) if facts.kind in PAYING else None
    return ActionPreview(facts, seq, count, from_scaled(shares, QUANTITY_SCALE), money)
