"""What people must know of payments: cash taken back, balances below zero, estimated pay dates, what waits in vain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from closingbell.domain.actions import PayDateStatus
from closingbell.domain.incidents import Message
from closingbell.domain.money import MONEY_SCALE, from_scaled, plain
from closingbell.domain.payments import Changes, Leg, Wait
from closingbell.jobs.dividend_deciding import Decision
from closingbell.stores import incidents, ledger
from closingbell.stores.accounts import AccountFacts, load_accounts

ESTIMATED = PayDateStatus.ESTIMATED.value
# What a missing price or rate keeps from accounts, and the way out; {} is the action.
_LATE = {
    Leg.PAYMENT: "cash waits for it. Enter the rate with closingbell books fx FROM TO DATE RATE; the next run pays.",
    Leg.DRIP: "the dividend stays cash: after five days no shares are bought for it any more. Enter what the "
    "broker bought with closingbell orders add.",
    Leg.CIL: "cash for a fraction waits for it. Enter the agent's price with closingbell actions edit {} "
    "--cash-in-lieu-price PRICE, or a missing rate with closingbell books fx FROM TO DATE RATE.",
}
_LATE[Leg.SPLIT] = (
    "nothing is booked for it, and all other accounts are paid. Delete orders of the account with closingbell orders "
    "delete and enter them in several accounts, none of which holds more than 900 million shares after the splits."
)
_LATE[Leg.FRACTION] = _LATE[Leg.CIL]
_CASH_LEGS = frozenset({Leg.PAYMENT, Leg.CIL, Leg.FRACTION})


def tell(
    connection: Connection,
    accounts: Sequence[tuple[Decision, int, Changes]],
    finished: Sequence[Decision],
    *,
    run_id: int,
    now: datetime,
) -> None:
    """Write messages about what this transaction books, and what still waits in it, as part of it."""
    messages = [*_reversals(accounts), *_estimates(accounts), *_waits(connection, finished)]
    below = _lowered(accounts)
    if below:
        messages += _overdrawn(connection, below)
    if messages:
        incidents.notify_all(connection, messages, run_id, now=now)


def _reversals(accounts: Sequence[tuple[Decision, int, Changes]]) -> list[Message]:
    """One message for each action of which paid cash was taken back."""
    back: dict[tuple[int, str], list[tuple[Decision, int, int]]] = defaultdict(list)
    again: dict[tuple[int, str], int] = defaultdict(int)
    for decision, _, changes in accounts:
        if not changes.reversals:
            continue
        for one in changes.reversals:
            if one.booked.leg in _CASH_LEGS and one.booked.cash:
                key = one.booked.action_id, one.booked.cash_currency
                back[key].append((decision, one.booked.id, one.booked.cash))
        for leg in changes.bookings:
            if leg.leg in _CASH_LEGS:
                again[leg.action_id, leg.cash_currency] += leg.cash
    messages = []
    for (action_id, currency), taken in sorted(back.items()):
        decision = taken[0][0]
        amount = sum(cash for _, _, cash in taken)
        messages.append(
            Message(
                f"dividend-reversed:{min(number for _, number, _ in taken)}",
                "warning",
                f"{_name(decision, action_id)}: {len(taken)} payment{'s' * (len(taken) > 1)} taken back",
                f"{_money(amount)} {currency} taken back and {_money(again[action_id, currency])} {currency} booked "
                f"in its place. See: closingbell payments --action {action_id}",
            )
        )
    return messages


def _estimates(accounts: Sequence[tuple[Decision, int, Changes]]) -> list[Message]:
    """One message for each action that is paid on a day that nobody confirmed."""
    found: dict[int, tuple[Decision, str]] = {}
    for decision, _, changes in accounts:
        for leg in changes.bookings:
            if leg.pay_date_status == ESTIMATED and leg.leg is Leg.PAYMENT and leg.version == 1:
                found.setdefault(leg.action_id, (decision, str(leg.due_date)))
    return [
        Message(
            f"dividend-estimated:{action_id}",
            "info",
            f"{_name(decision, action_id)}: paid on an estimated day",
            f"Nobody told the pay date; {day} was estimated. A confirmed one corrects it: "
            f"closingbell actions edit {action_id} --pay-date DATE",
        )
        for action_id, (decision, day) in sorted(found.items())
    ]


def _waits(connection: Connection, finished: Sequence[Decision]) -> list[Message]:
    """One message for each action and what it waits for; the key keeps a repeat from being told."""
    wanted = sorted({wait.account_id for one in finished for wait in one.late if wait.account_id is not None})
    names = load_accounts(connection, wanted) if wanted else {}
    return [
        Message(
            f"dividend-waits:{wait.action_id}:{wait.leg}:{_number(wait)}{wait.what}",
            "warning",
            f"{_name(decision, wait.action_id)}: {wait.what}",
            f"In {_where(count, wait, names)} {_LATE[wait.leg].format(wait.action_id)}",
        )
        for decision in finished
        for wait, count in sorted(decision.late.items())
    ]


def _number(wait: Wait) -> str:
    return "" if wait.account_id is None else f"{wait.account_id}:"


def _where(count: int, wait: Wait, names: Mapping[int, AccountFacts]) -> str:
    """Which account waits, or in how many something does."""
    if wait.account_id is not None:
        return f"account {names[wait.account_id].name}"
    return f"{count} account{'s' * (count > 1)}"


def _lowered(accounts: Sequence[tuple[Decision, int, Changes]]) -> dict[int, set[str]]:
    """Accounts and currencies in which this transaction takes more cash back than it gives."""
    moved: dict[tuple[int, str], int] = defaultdict(int)
    touched = set()
    for _, account_id, changes in accounts:
        if not changes.reversals:
            continue
        for one in changes.reversals:
            if one.booked.cash:
                moved[account_id, one.booked.cash_currency] -= one.booked.cash
                touched.add((account_id, one.booked.cash_currency))
        for leg in changes.bookings:
            moved[account_id, leg.cash_currency] += leg.cash
    below: dict[int, set[str]] = defaultdict(set)
    for account_id, currency in touched:
        if moved[account_id, currency] < 0:
            below[account_id].add(currency)
    return below


def _overdrawn(connection: Connection, accounts: dict[int, set[str]]) -> list[Message]:
    """One message for each balance that a reversal left below zero."""
    messages = []
    for name, account_id, currency, balance, last in ledger.load_negative_cash(connection, sorted(accounts)):
        if currency in accounts[account_id]:
            messages.append(
                Message(
                    f"dividend-overdrawn:{account_id}:{currency}:{last}",
                    "warning",
                    f"{name}: balance below zero",
                    f"A dividend that was taken back leaves {plain(balance)} {currency} in the account {name}.",
                )
            )
    return messages


def _name(decision: Decision, action_id: int) -> str:
    action = decision.found.get(action_id)
    if action is None:
        return decision.waiting.symbol
    return f"{decision.waiting.symbol} {action.kind.value} of {action.ex_date}"


def _money(amount: int) -> str:
    return plain(from_scaled(amount, MONEY_SCALE))
