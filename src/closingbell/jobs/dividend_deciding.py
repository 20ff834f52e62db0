"""What follows from a company's facts for every account that holds it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from closingbell.domain.actions import AcceptedAction, AcceptedKind, PayDateStatus
from closingbell.domain.pay_dates import WAIT_AT_MOST
from closingbell.domain.payments import (
    SPUN,
    Changes,
    EventState,
    HolderBooks,
    Leg,
    StoredLink,
    Suggestion,
    Wait,
    split_state_of,
    state_of,
)
from closingbell.domain.reconcile import reconcile
from closingbell.domain.shares_for_cash import RETRY, TOLD_WITHIN
from closingbell.domain.spin_offs import add_spin_offs, spin_off_state
from closingbell.jobs.dividend_books import CompanyFacts
from closingbell.stores.dividend_progress import StoredState, Waiting

_DAY = timedelta(days=1)
_BRINGS_SHARES = frozenset({Leg.DRIP, Leg.SCRIP})


@dataclass(slots=True)
class Decision:
    """What follows for one company: changes by account, states that changed, the next day that matters by itself.

    ``children`` are the companies that its spin-offs (by action) gave away, ``touched`` those whose shares come or go.
    ``again_since``: shares were bought for a dividend so late that actions after that day count them, too.
    ``late`` is what waits so long that people must be told, and in how many accounts. ``rerates`` is what was computed
    anew because somebody asked: action, account and when.
    """

    waiting: Waiting
    changes: list[tuple[int, Changes]] = field(default_factory=list)
    states: dict[int, StoredState] = field(default_factory=dict)
    next_date: date | None = None
    found: Mapping[int, AcceptedAction] = field(default_factory=dict)
    stored_links: Mapping[tuple[int, int], StoredLink] = field(default_factory=dict)
    children: dict[int, int] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)
    again_since: date | None = None
    suggestions: list[Suggestion] = field(default_factory=list)
    late: dict[Wait, int] = field(default_factory=dict)
    rerates: Sequence[tuple[int, int, datetime]] = ()

    @property
    def suggestion_count(self) -> int:
        """Entitlements that wait for a person's word."""
        return sum(not one.is_dismissed for one in self.suggestions)

    @property
    def is_settled(self) -> bool:
        """Whether nothing at all is to be written."""
        return (
            not self.changes
            and not self.states
            and not self.waiting.is_marked
            and self.next_date == self.waiting.next_date
        )


def decide(facts: CompanyFacts) -> Decision:
    """What the books of a company should be, against what they are."""
    waiting = facts.waiting
    decision = Decision(waiting, found=facts.found, stored_links=facts.links, rerates=facts.rerates)
    unpaid: set[int] = set()
    corrected: set[int] = set()
    waits: Counter[Wait] = Counter()
    nothing_booked = HolderBooks()
    accounts = sorted(facts.trades.keys() | facts.books.keys())
    for account_id in accounts:
        account_books = facts.books.get(account_id) or nothing_booked
        changes = reconcile(
            facts.holders[account_id], facts.trades.get(account_id, ()), facts.terms, account_books, facts.frame
        )
        if facts.spin_offs is not None:
            add_spin_offs(facts.holders[account_id], facts.spin_offs, account_books, facts.frame, changes)
            _touch(decision, facts, changes)
        _look_again(decision, facts, changes)
        decision.suggestions += changes.suggestions
        unpaid |= changes.unpaid
        corrected |= changes.corrected
        if changes.waiting:
            waits.update(changes.waiting)
        if not changes.is_empty or _are_links_new(facts, account_id, changes):
            decision.changes.append((account_id, changes))
    for dividend in facts.terms.dividends:
        state = state_of(dividend, facts.today, is_unpaid=dividend.id in unpaid, is_corrected=dividend.id in corrected)
        stored = StoredState(state, dividend.pay.date, dividend.pay.status.value, facts.lags.get(dividend.id))
        if facts.states.get(dividend.id) != stored:
            decision.states[dividend.id] = stored
    for event in facts.terms.splits:
        key, on = event.split.action_id, event.split.ex_date
        state = split_state_of(event, facts.today, is_waiting=key in unpaid)
        stored = StoredState(state, on, PayDateStatus.CONFIRMED.value, None)
        if event.in_scope and facts.states.get(key) != stored:
            decision.states[key] = stored
    for spun in facts.spin_offs.terms if facts.spin_offs is not None else ():
        state = spin_off_state(spun, facts.today, is_waiting=spun.id in unpaid, is_corrected=spun.id in corrected)
        stored = StoredState(state, spun.ex_date, PayDateStatus.CONFIRMED.value, None)
        # Of one that is a split by now, the split's is the state.
        if facts.states.get(spun.id) != stored and facts.found[spun.id].kind is AcceptedKind.SPIN_OFF:
            decision.states[spun.id] = stored
    _keep_in_scope(decision, facts, [wait.action_id for wait in waits if not wait.is_over])
    decision.next_date = _next_date(facts, is_waiting=any(not wait.is_over for wait in waits))
    decision.late = {wait: count for wait, count in waits.items() if _is_late(facts, wait)}
    return decision


def _is_late(facts: CompanyFacts, wait: Wait) -> bool:
    """Whether people must be told that a leg waits: shares are not bought any more, other legs wait for days."""
    if wait.leg is Leg.DRIP:
        return wait.is_over
    if wait.account_id is not None:
        return True
    state = facts.states.get(wait.action_id)
    if state is None or state.state is not EventState.PAYABLE or state.changed_at is None:
        return False
    return RETRY <= facts.today - state.changed_at.date() <= RETRY + TOLD_WITHIN


def _look_again(decision: Decision, facts: CompanyFacts, changes: Changes) -> None:
    """Have actions looked at again that came after shares were bought which nobody counted for them."""
    moved = [leg for leg in changes.bookings if leg.leg in _BRINGS_SHARES]
    moved += [one.booked for one in changes.reversals if one.booked.leg is Leg.SCRIP]
    if not moved:
        return
    if any(leg.leg is Leg.SCRIP for leg in moved):
        # Their orders are marked as they are made, and deleted.
        decision.touched.add(facts.waiting.company_id)
    first = min(leg.due_date for leg in moved)
    if any(first < action.ex_date <= facts.today for action in facts.found.values()):
        decision.again_since = min(first, decision.again_since or first)
        decision.touched.add(facts.waiting.company_id)


def _touch(decision: Decision, facts: CompanyFacts, changes: Changes) -> None:
    """Remember which companies' orders these changes make and delete."""
    assert facts.spin_offs is not None
    decision.children = {one.id: one.child.company_id for one in facts.spin_offs.terms if one.child is not None}
    decision.touched |= {decision.children[leg.action_id] for leg in changes.bookings if leg.leg in SPUN}
    orders = [one.booked.order_id or 0 for one in changes.reversals if one.booked.leg in SPUN]
    decision.touched |= {facts.spin_offs.orders[number] for number in orders if number in facts.spin_offs.orders}


def _are_links_new(facts: CompanyFacts, account_id: int, changes: Changes) -> bool:
    """Whether other entries of people's own stand for this account's entitlements than was written down.

    What a person tied stays written down while nothing is owed that it could stand for.
    """
    now = {(link.action_id, link.order_id) for link in changes.links}
    chosen = {dividend.id for dividend in facts.terms.dividends}
    before = {
        (action_id, order_id)
        for (action_id, account), (order_id, is_by_person, *_) in facts.links.items()
        if account == account_id and action_id in chosen and (not is_by_person or (action_id, order_id) in now)
    }
    return now != before


def _keep_in_scope(decision: Decision, facts: CompanyFacts, action_ids: Iterable[int]) -> None:
    """Write the state of actions that are paid while something of them waits down anew, once a day.

    One that was paid long ago is looked at for a late order alone, and would be out of scope before a price came.
    Others are in scope by their state, and when it changed decides when people are told of what is waited for.
    """
    for action_id in action_ids:
        stored = facts.states.get(action_id)
        if stored is None or stored.state not in {EventState.PAID, EventState.CORRECTED}:
            continue
        if stored.changed_at is not None and stored.changed_at.date() < facts.today:
            decision.states.setdefault(action_id, stored)


def _next_date(facts: CompanyFacts, *, is_waiting: bool) -> date | None:
    """The next day on which something is due although no fact changes; today while something is waited for."""
    if is_waiting:
        return facts.today
    days = [event.split.ex_date for event in facts.terms.splits if event.counts]
    days += [one.ex_date for one in facts.spin_offs.terms if not one.is_cancelled] if facts.spin_offs else []
    for dividend in facts.terms.dividends:
        if not dividend.is_cancelled:
            days.append(dividend.ex_date)
            days.append(dividend.pay.date or dividend.ex_date + WAIT_AT_MOST + _DAY)
    return min((day for day in days if day > facts.today), default=None)
