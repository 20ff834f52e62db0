"""Decisions written down: whole payments, many in a transaction, each company by whoever has its turn."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from closingbell.domain.paid import Paid
from closingbell.domain.payments import ORDERED, BookedLeg, Changes, Leg, Reversal
from closingbell.errors import BooksChangedError
from closingbell.jobs.context import JobContext
from closingbell.jobs.dividend_deciding import Decision
from closingbell.jobs.dividend_news import tell
from closingbell.jobs.runner import Run, store_progress
from closingbell.stores import dividend_progress, dividend_writing, payments, run_paid, spin_offs

# Whole payments in one transaction; one has two legs as a rule.
MOST_PAYMENTS = 1_000
# Two that take cash back at once would each see a balance above zero that both together leave below.
_lowering = Lock()


@dataclass(slots=True)
class _Batch:
    """What one transaction writes."""

    accounts: list[tuple[Decision, int, Changes]] = field(default_factory=list)
    finished: list[Decision] = field(default_factory=list)
    payments: int = 0


def write_decisions(context: JobContext, run: Run, decisions: Sequence[Decision], *, finishes: bool = True) -> None:
    """Book what was decided; raise BooksChangedError when somebody else booked for one of these companies meanwhile.

    What was committed before that stays: it was right, and is found so when the company is looked at again.
    ``finishes`` false leaves the marks for a run over all that is due.
    """
    unsettled = [decision for decision in decisions if not decision.is_settled]
    if not unsettled:
        return
    count = sum(len(changes.bookings) for decision in unsettled for _, changes in decision.changes)
    number = payments.reserve_numbers(context.database, payments.PAYMENTS, count) if count else 0
    turns = {decision.waiting.company_id: decision.waiting.turn for decision in unsettled}
    batch = _Batch()
    for account in _by_account(unsettled):
        batch.accounts.append(account)
        batch.payments += _payment_count(account[2])
        if batch.payments >= MOST_PAYMENTS:
            number = _commit(context, run, batch, turns, number)
            batch = _Batch()
    batch.finished = unsettled if finishes else []
    if batch.accounts or batch.finished:
        _commit(context, run, batch, turns, number)


def _by_account(decisions: Sequence[Decision]) -> list[tuple[Decision, int, Changes]]:
    """Every account's changes, account by account: an account's entries lie together in the ledger's indexes."""
    found = [(decision, account_id, changes) for decision in decisions for account_id, changes in decision.changes]
    return sorted(found, key=lambda one: one[1])


def _payment_count(changes: Changes) -> int:
    actions = {leg.action_id for leg in changes.bookings}
    if changes.reversals:
        actions.update(one.booked.action_id for one in changes.reversals)
    return len(actions)


def _commit(context: JobContext, run: Run, batch: _Batch, turns: dict[int, int | None], number: int) -> int:
    """Write one batch in one transaction; the number of the next payment."""
    run.check()
    now, wall = context.clock.now(), context.wall.now()
    is_lowering = any(changes.reversals for _, _, changes in batch.accounts)
    try:
        with _lowering if is_lowering else nullcontext():
            context.database.write_unit(
                lambda connection: _write(connection, run, batch, turns, number, now=now, wall=wall)
            )
    except IntegrityError:
        raise BooksChangedError("somebody else booked one of these payments") from None
    for company_id, turn in turns.items():
        turns[company_id] = (turn or 0) + 1
    return number + sum(len(changes.bookings) for _, _, changes in batch.accounts)


def _write(
    connection: Connection,
    run: Run,
    batch: _Batch,
    turns: dict[int, int | None],
    number: int,
    *,
    now: datetime,
    wall: datetime,
) -> None:
    """Everything of a batch: turns first, then unique rows with their entries, then marks, states and messages."""
    dividend_progress.take_turns(connection, turns, now=now)
    reversals: list[Reversal] = []
    legs: list[tuple[int, BookedLeg]] = []
    bought: list[tuple[int, BookedLeg]] = []
    spun: list[tuple[int, BookedLeg]] = []
    children: dict[int, int] = {}
    for decision, _, changes in batch.accounts:
        reversals += changes.reversals
        children |= decision.children
        company_id = decision.waiting.company_id
        for leg in changes.bookings:
            of_order = spun if leg.leg in ORDERED else bought if leg.leg is Leg.DRIP else legs
            of_order.append((company_id, leg))
    children |= {leg.action_id: company_id for company_id, leg in spun if leg.leg is Leg.SCRIP}
    payments.store_reversals(connection, reversals, now=now, run_id=run.id)
    spin_offs.take_back(connection, reversals, by=run.job_name, now=now)
    payments.store_bookings(connection, legs, first_number=number, now=now, run_id=run.id)
    if bought or spun:
        made = dividend_writing.store_purchases(connection, bought, now=now)
        made += spin_offs.store_orders(connection, spun, children, now=now)
        payments.store_bookings(connection, made, first_number=number + len(legs), now=now, run_id=run.id)
    again = {
        decision.waiting.company_id: decision.again_since
        for decision, _, _ in batch.accounts
        if decision.again_since is not None
    }
    dividend_progress.mark(connection, again.items(), reason=dividend_progress.ORDERS_CHANGED, now=now)
    for decision, account_id, changes in batch.accounts:
        before = [
            (action_id, order_id, is_by_person)
            for (action_id, account), (order_id, is_by_person, *_) in decision.stored_links.items()
            if account == account_id
        ]
        if changes.links or before:
            dividend_writing.store_links(connection, account_id, changes.links, before=before, now=now)
    for decision in batch.finished:
        dividend_progress.store_finished(
            connection, decision.waiting, next_date=decision.next_date, states=decision.states, now=now
        )
        dividend_writing.remove_rerates(connection, decision.rerates)
    tell(connection, batch.accounts, batch.finished, run_id=run.id, now=now)
    # Last, because the run's row is the one that all of its writers share: they wait for each other from here on.
    store_progress(connection, run, wall=wall)
    # After it: this names the run's row, which MySQL would let two of them share and neither write.
    paid = Paid()
    for decision, _, changes in batch.accounts:
        paid.add(decision.waiting.symbol, changes)
    run_paid.store_paid(connection, run.id, paid)
