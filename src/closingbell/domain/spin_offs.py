"""What a spin-off brings each account: the child's shares, their part of the parent's cost, cash for a fraction.

Pure. Cost moves in the currency in which the account paid for the parent; where it paid in several, its cost is not
known and none moves. Quantities are whole 1e-10 shares, money whole 1e-4 units, prices whole 1e-6 units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple

from closingbell.domain.actions import AcceptedKind
from closingbell.domain.bookkeeping import (
    CHANGED,
    NO_LONGER_ENTITLED,
    NO_PRICE,
    NO_RATE,
    NOT_YET,
    USERS_OWN,
    Bookkeeper,
)
from closingbell.domain.dividends import RATE_ONE, Amounts, converted
from closingbell.domain.entitlements import ONE_SHARE, FractionPolicy, Split, entitled_quantity, shown_quantity
from closingbell.domain.entitlements import Trade as Move
from closingbell.domain.orders import INCOMING, SHARE_MOVES
from closingbell.domain.payment_legs import share_leg
from closingbell.domain.payments import (
    BookedLeg,
    Changes,
    EventState,
    Frame,
    Holder,
    HolderBooks,
    Leg,
    Preference,
    ShareEvent,
    Wait,
)
from closingbell.domain.positions import Trade, insert_before, position_of
from closingbell.domain.share_events import cash_in_lieu, spin_off

CANCELLED = "the spin-off was cancelled"
# A person's own entry of the child's shares may be dated so long after the ex-date, and be so far from ours.
OWN_WITHIN = timedelta(days=10)
_NEAR_PERCENT = 2
_DAY = timedelta(days=1)
_KIND = AcceptedKind.SPIN_OFF.value
_CAPITAL = AcceptedKind.RETURN_OF_CAPITAL.value


class Child(NamedTuple):
    """The company that is spun off, and the currency of its prices."""

    company_id: int
    currency: str


class SpinOff(NamedTuple):
    """A spin-off: ``ratio`` shares of the child for each of the parent's, which keeps ``parent_percent`` (1e-10) of its
    cost. ``price`` is the agent's for a fraction, once a person entered it; ``close`` the child's first as traded.
    """

    id: int
    ex_date: date
    ratio: Fraction
    parent_percent: int
    child: Child | None
    version: int = 1
    is_held: bool = False
    is_cancelled: bool = False
    price: int | None = None
    close: int | None = None


class Cost(NamedTuple):
    """What an account's shares of the parent are made of, without what spin-offs took; currencies of its orders."""

    trades: Sequence[Trade]
    currencies: Sequence[str]


@dataclass(frozen=True, slots=True)
class SpinOffFacts:
    """A company's spin-offs by ex-date, and all that decides about them.

    ``orders`` are those of booked legs that stand, with their company; ``own`` the child's shares that people entered
    themselves, by action and account. ``exchange`` is Rates' of (from, to, day).
    """

    terms: tuple[SpinOff, ...]
    costs: Mapping[int, Cost] = field(default_factory=dict)
    splits: Mapping[date, Fraction] = field(default_factory=dict)
    orders: Mapping[int, int] = field(default_factory=dict)
    own: Mapping[tuple[int, int], Sequence[int]] = field(default_factory=dict)
    exchange: Callable[[str, str, date], tuple[int, date] | None] = lambda *_: None


def add_spin_offs(holder: Holder, facts: SpinOffFacts, books: HolderBooks, frame: Frame, changes: Changes) -> None:
    """Add what makes one account's spin-offs right to ``changes``, which hold those of its dividends and splits."""
    _SpinOffs(holder, facts, books, frame, changes).run()


def spin_off_state(event: SpinOff, today: date, *, is_waiting: bool, is_corrected: bool) -> EventState:
    """How far a spin-off is: whether some account waits for a decision or a price, or something was taken back."""
    if event.is_cancelled:
        return EventState.CANCELLED
    if today < event.ex_date:
        return EventState.ANNOUNCED
    if is_waiting:
        return EventState.PAYABLE
    return EventState.CORRECTED if is_corrected else EventState.PAID


class _SpinOffs(Bookkeeper):
    def __init__(self, holder: Holder, facts: SpinOffFacts, books: HolderBooks, frame: Frame, changes: Changes) -> None:
        super().__init__(books, frame, changes)
        self.holder = holder
        self.facts = facts
        cost = facts.costs.get(holder.account_id, Cost((), ()))
        self.trades = _with_changes(cost.trades, changes)
        self.is_cost_known = len(cost.currencies) <= 1
        self.currency = cost.currencies[0] if len(cost.currencies) == 1 else holder.currency

    def run(self) -> None:
        for event in self.facts.terms:
            moved = self._event(event)
            if moved:
                # What a later spin-off shares out is what this one left.
                insert_before(self.trades, Trade(event.ex_date, "COST_CHANGE", 0, -moved))

    def _event(self, event: SpinOff) -> int:
        """Make one spin-off right; the cost that it takes from the parent."""
        booked, sold = self._active(event.id, Leg.SPIN_OFF), self._active(event.id, Leg.FRACTION)
        versions = self.books.versions.get((event.id, Leg.SPIN_OFF), 0)
        if versions > 1 or (versions and booked is None):
            self.changes.corrected.add(event.id)
        if self._counts_later(event.id):
            return booked.gross if booked is not None else 0
        # What it booked as a split, before somebody said that it is none.
        self._take_back(self._active(event.id, Leg.SPLIT), self._active(event.id, Leg.CIL), CHANGED)
        if event.is_cancelled or self.frame.today < event.ex_date:
            self._undo(booked, sold, CANCELLED if event.is_cancelled else NOT_YET)
            return 0
        shares = self._shares(event, booked)
        if shares is None:
            if not event.is_held:
                self._undo(booked, sold, NO_LONGER_ENTITLED)
            return 0
        if event.is_held or event.child is None:
            # In doubt the books stand still.
            if booked is None:
                self.changes.unpaid.add(event.id)
            return booked.gross if booked is not None else 0
        return self._shares_came(event, event.child, shares, booked, sold)

    def _shares_came(
        self, event: SpinOff, child: Child, shares: BookedLeg, booked: BookedLeg | None, sold: BookedLeg | None
    ) -> int:
        """Book them, unless the account has them already or does not want it; the cost that they take."""
        if self._is_users_own(event, shares):
            self._undo(booked, sold, USERS_OWN)
            return 0
        if not self._may_book(event):
            self._suggest(self.holder, shares, shares=shares.quantity_after)
            return 0
        is_right = booked is not None and _moves(booked) == _moves(shares) and self._stands(booked, child)
        if not is_right:
            moved = booked is not None and self._reverse(booked, CHANGED)
            if booked is not None:
                self.changes.corrected.add(event.id)
            self._book(shares, is_moved=moved)
        self._sell_fraction(event, child, shares, sold)
        return shares.gross

    def _undo(self, booked: BookedLeg | None, sold: BookedLeg | None, reason: str) -> None:
        self._take_back(booked, sold, reason)
        if booked is not None:
            self.changes.corrected.add(booked.action_id)

    def _shares(self, event: SpinOff, booked: BookedLeg | None) -> BookedLeg | None:
        """The child's shares and their cost; None where no share comes."""
        held = self._held(event.ex_date)
        # A rounding that was booked by is frozen in it.
        rounding = self.holder.rounding if booked is None else booked.rounding
        found = spin_off(
            held,
            self._cost(event.ex_date) if held and self.is_cost_known else 0,
            event.ratio,
            event.parent_percent,
            self.holder.fractions,
            currency=self.currency,
            rounding=rounding,
        )
        quantity = found.child.quantity
        if self.holder.fractions is FractionPolicy.CASH_IN_LIEU:
            # All of them come; the fraction is sold.
            quantity = shown_quantity(held * event.ratio)
        if not quantity:
            return None
        leg = self._leg(event, Leg.SPIN_OFF, held)
        return leg._replace(gross=found.child_basis, net=found.child_basis, quantity_after=quantity, rounding=rounding)

    def _held(self, ex_date: date) -> int:
        """Shares of the parent at the close before, counted as they are for a dividend."""
        moves = [
            Move(trade.trade_date, trade.quantity if trade.type in INCOMING else -trade.quantity)
            for trade in self.trades
            if trade.type in SHARE_MOVES
        ]
        splits = [Split(day, ratio.numerator, ratio.denominator) for day, ratio in self.facts.splits.items()]
        return entitled_quantity(moves, splits, ex_date, self.holder.fractions)

    def _cost(self, ex_date: date) -> int:
        policy = self.holder.fractions
        return position_of(
            self.trades, self.facts.splits, on=ex_date - _DAY, policy=policy, currency=self.currency
        ).cost

    def _sell_fraction(self, event: SpinOff, child: Child, shares: BookedLeg, sold: BookedLeg | None) -> None:
        assert shares.quantity_after is not None
        cut = abs(shares.quantity_after) % ONE_SHARE * (1 if shares.quantity_after > 0 else -1)
        if self.holder.fractions is not FractionPolicy.CASH_IN_LIEU or not cut:
            if sold is not None:
                self._reverse(sold, NO_LONGER_ENTITLED)
            return
        same = sold is not None and (sold.quantity, sold.due_date, sold.currency) == (cut, event.ex_date, self.currency)
        if sold is not None and same and event.price in {None, sold.price} and self._stands(sold, child):
            return
        price = event.price if event.price is not None else sold.price if sold else event.close
        rate = self._rate(child, sold, event.ex_date)
        if price is None or rate is None:
            what = NO_PRICE if price is None else NO_RATE
            told = f"{what} of {event.ex_date} for a fraction of a share"
            self.changes.waiting.append(Wait(event.id, Leg.FRACTION, told))
            self.changes.unpaid.add(event.id)
            return
        worth = cash_in_lieu(Fraction(cut), price, currency=child.currency, rounding=shares.rounding)
        cash = worth
        if rate != RATE_ONE:
            cash = converted(Amounts(worth, 0, worth), rate, self.currency, shares.rounding).net
        fresh = self._leg(event, Leg.FRACTION, cut)._replace(
            gross=cash,
            net=cash,
            cash=cash,
            price=price,
            fx_rate=None if rate == RATE_ONE else rate,
            fx_date=None if rate == RATE_ONE else event.ex_date,
            rounding=shares.rounding,
        )
        moved = sold is not None and self._reverse(sold, CHANGED)
        self._book(fresh, is_moved=moved)

    def _rate(self, child: Child, sold: BookedLeg | None, on: date) -> int | None:
        """From the currency of the child's prices to that of the cost; the one that was used stays."""
        if child.currency == self.currency:
            return RATE_ONE
        if sold is not None and sold.fx_rate is not None and sold.currency == self.currency:
            return sold.fx_rate
        found = self.facts.exchange(child.currency, self.currency, on)
        return None if found is None else found[0]

    def _leg(self, event: SpinOff, leg: Leg, quantity: int) -> BookedLeg:
        split = Split(event.ex_date, event.ratio.numerator, event.ratio.denominator, event.id)
        version = self._next_version(event.id, leg)
        made = share_leg(
            self.holder,
            ShareEvent(split, event.version),
            leg,
            version,
            currency=self.currency,
            quantity=quantity,
            after=None,
        )
        return made._replace(kind=_KIND, cash_currency=self.currency)

    def _stands(self, booked: BookedLeg, child: Child) -> bool:
        """Whether a leg's order is there, and of the right company."""
        return self.facts.orders.get(booked.order_id or 0) == child.company_id

    def _may_book(self, event: SpinOff) -> bool:
        """Whether new shares are booked here; what was booked once is kept right in any case."""
        if (event.id, Leg.SPIN_OFF) in self.books.versions or self._is_accepted(event.id):
            return True
        is_before = self.frame.cutover is not None and event.ex_date < self.frame.cutover
        return self.holder.preference is Preference.AUTO and not is_before

    def _is_users_own(self, event: SpinOff, shares: BookedLeg) -> bool:
        """Whether the account has the child's shares already, by entries of its own: one of them, or all together."""
        entered = self.facts.own.get((event.id, self.holder.account_id), ())
        return any(_is_near(theirs, shares.quantity_after or 0) for theirs in (*entered, sum(entered)))


def _moves(leg: BookedLeg) -> tuple[object, ...]:
    return leg.quantity, leg.quantity_after, leg.gross, leg.currency, leg.due_date


def _is_near(theirs: int, ours: int) -> bool:
    """Whether it is as many shares as ours, with or without a fraction."""
    if not theirs or (theirs > 0) != (ours > 0):
        return False
    return abs(theirs - ours) * 100 <= abs(ours) * _NEAR_PERCENT or abs(theirs) == abs(ours) // ONE_SHARE * ONE_SHARE


def _with_changes(trades: Sequence[Trade], changes: Changes) -> list[Trade]:
    """What is held, with what is about to be booked: shares bought for dividends, and capital returned."""
    after = list(trades)
    for one in changes.reversals:
        if one.booked.leg is Leg.ACCRUAL and one.booked.kind == _CAPITAL:
            gone = Trade(one.booked.due_date, "CAPITAL_RETURN", 0, one.booked.gross)
            if gone in after:
                after.remove(gone)
    for leg in changes.bookings:
        if leg.leg is Leg.ACCRUAL and leg.kind == _CAPITAL:
            insert_before(after, Trade(leg.due_date, "CAPITAL_RETURN", 0, leg.gross))
        elif leg.leg is Leg.DRIP:
            insert_before(after, Trade(leg.due_date, "BUY", leg.quantity, -leg.cash), on=leg.due_date + _DAY)
    return after
