"""What makes one account's books of one company right: what should be booked, against what is.

Pure: the same facts on the same day give the same answer, and none once it is carried out.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from closingbell.domain.actions import AcceptedKind
from closingbell.domain.bookkeeping import CHANGED, NO_LONGER_ENTITLED, NO_PRICE, NO_RATE, NOT_YET, USERS_OWN
from closingbell.domain.dividends import RATE_ONE, Amounts, converted, dividend_amounts
from closingbell.domain.entitlements import FractionPolicy, PositionWalk, SplitStep, Trade, shown_quantity
from closingbell.domain.money import BIGINT_MAX
from closingbell.domain.payment_legs import accrual_leg, books_the_same, payment_leg, share_leg
from closingbell.domain.payments import (
    BookedLeg,
    Changes,
    CompanyTerms,
    Dividend,
    Frame,
    Holder,
    HolderBooks,
    Leg,
    Link,
    Preference,
    ShareEvent,
    UserDividend,
    Wait,
)
from closingbell.domain.share_events import cash_in_lieu
from closingbell.domain.shares_for_cash import SharesForCash

# How near a person's own entry must be to ours to stand for it.
NEAR_PERCENT = 2
NEAR_MONEY = 200
LATEST_ENTRY = timedelta(days=10)
UNKNOWN_PAY_DATE = timedelta(days=120)

_UNTAXED = frozenset({AcceptedKind.RETURN_OF_CAPITAL.value})
_DAY = timedelta(days=1)

CANCELLED = "the dividend was cancelled"
TOO_MANY = "more shares than can be kept"
NOT_DUE = "the pay date is not reached any more"


def reconcile(
    holder: Holder, trades: Iterable[Trade], company: CompanyTerms, books: HolderBooks, frame: Frame
) -> Changes:
    """Reversals and bookings for one account, oldest action first: what is reinvested counts for later ones."""
    return _Reconciler(holder, trades, company, books, frame).run()


class _Reconciler(SharesForCash):
    def __init__(
        self, holder: Holder, trades: Iterable[Trade], company: CompanyTerms, books: HolderBooks, frame: Frame
    ) -> None:
        splits = company.counting(frame.today) if company.splits else ()
        super().__init__(holder, company, books, frame, PositionWalk(trades, splits, holder.fractions))
        self.entries = list(books.entries)

    def run(self) -> Changes:
        for dividend in self.company.dividends:
            if not self._counts_later(dividend.id):
                self._dividend(dividend)
        if not self.company.splits:
            return self.changes
        self.walk.advance(self.frame.today + _DAY)
        steps = {step.split.action_id: step for step in self.walk.steps}
        for event in self.company.splits:
            if not event.in_scope or self._counts_later(event.split.action_id):
                continue
            self._split(event, steps.get(event.split.action_id))
        return self.changes

    # --- Dividends.

    def _dividend(self, dividend: Dividend) -> None:
        booked, paid = self._active(dividend.id, Leg.ACCRUAL), self._active(dividend.id, Leg.PAYMENT)
        if self.books.versions and (self._was_reversed(dividend.id, Leg.PAYMENT, paid) or self._was_taken(dividend.id)):
            self.changes.corrected.add(dividend.id)
        if dividend.is_cancelled or self.frame.today < dividend.ex_date:
            self._take_back(booked, paid, CANCELLED if dividend.is_cancelled else NOT_YET)
            return
        quantity = self.walk.advance(dividend.ex_date)
        if quantity == 0:
            if not dividend.is_held:
                self._take_back(booked, paid, NO_LONGER_ENTITLED)
            return
        if abs(quantity) > BIGINT_MAX:
            self._leave(dividend.id)
            return
        accrual = self._accrual(dividend, quantity, booked)
        if self._is_users_own(dividend, accrual):
            self._take_back(booked, paid, USERS_OWN)
            return
        if not self._may_book(dividend):
            self._suggest(self.holder, accrual)
            return
        if dividend.is_held:
            # In doubt the books stand still: nothing new, nothing taken back.
            if paid is None:
                self.changes.unpaid.add(dividend.id)
            return
        self._settle(dividend, accrual, booked, paid)

    def _was_reversed(self, action_id: int, leg: Leg, active: BookedLeg | None) -> bool:
        """Whether a version of a leg was taken back by an earlier run."""
        versions = self.books.versions.get((action_id, leg), 0)
        return versions > 1 or (versions > 0 and active is None)

    def _was_taken(self, action_id: int) -> bool:
        """Whether shares in place of the cash were taken back."""
        return self._was_reversed(action_id, Leg.SCRIP, self._active(action_id, Leg.SCRIP))

    def _settle(self, dividend: Dividend, accrual: BookedLeg, booked: BookedLeg | None, paid: BookedLeg | None) -> None:
        """Book what is owed, pay it when it is due, and take back first what was booked differently."""
        payment: BookedLeg | None = None
        is_due = dividend.pay.date is not None and self.frame.today >= dividend.pay.date
        if is_due:
            payment = self._payment(dividend, accrual, paid)
            if payment is None:
                self.changes.unpaid.add(dividend.id)
        why = self.books.rerates.get(dividend.id, CHANGED)
        moved = paid is not None and paid is not payment and self._reverse(paid, why if is_due else NOT_DUE)
        if paid is not None and paid is not payment:
            self.changes.corrected.add(dividend.id)
        if booked is not accrual:
            late = booked is not None and self._reverse(booked, why)
            self._book(accrual, is_moved=late)
        if payment is not None and payment is not paid:
            self._book(payment, is_moved=moved)
        if not self._take_scrip(dividend, payment) and payment is not None:
            self._reinvest(dividend, payment)

    def _may_book(self, dividend: Dividend) -> bool:
        """Whether new payments are booked here; what was booked once is kept right in any case."""
        if (dividend.id, Leg.ACCRUAL) in self.books.versions or self._is_accepted(dividend.id):
            return True
        counts_from = dividend.pay.date or dividend.ex_date
        is_before = self.frame.cutover is not None and counts_from < self.frame.cutover
        return self.holder.preference is Preference.AUTO and not is_before

    def _accrual(self, dividend: Dividend, quantity: int, booked: BookedLeg | None) -> BookedLeg:
        """What is owed; ``booked`` itself where it says the same at the rate and rounding that are frozen in it."""
        is_frozen = dividend.id not in self.books.rerates
        if booked is not None and is_frozen and self._is_accrual_right(dividend, quantity, booked):
            return booked
        rate = self._tax_rate(dividend, quantity)
        amounts = dividend_amounts(quantity, dividend.amount, dividend.currency, rate, self.holder.rounding)
        version = self._next_version(dividend.id, Leg.ACCRUAL)
        fresh = accrual_leg(self.holder, dividend, version, quantity, amounts, rate)
        return booked if booked is not None and books_the_same(booked, fresh, with_kind=True) else fresh

    def _is_accrual_right(self, dividend: Dividend, quantity: int, booked: BookedLeg) -> bool:
        return (
            booked.quantity == quantity
            and booked.per_share == dividend.amount
            and booked.kind == dividend.kind
            and booked.currency == dividend.currency
            and booked.due_date == dividend.ex_date
            and booked.is_rate_of_action == (dividend.tax_rate is not None)
            and (dividend.tax_rate is None or booked.tax_rate == self._tax_rate(dividend, quantity))
        )

    def _tax_rate(self, dividend: Dividend, quantity: int) -> int:
        if quantity < 0 or dividend.kind in _UNTAXED:
            return 0
        if dividend.tax_rate is not None:
            return dividend.tax_rate
        return self.frame.rates.withheld(self.holder, dividend.kind, dividend.pay.date or dividend.ex_date)

    def _payment(self, dividend: Dividend, accrual: BookedLeg, paid: BookedLeg | None) -> BookedLeg | None:
        """What is paid; ``paid`` itself where it says the same, None while there is no rate to pay by."""
        due = dividend.pay.date
        assert due is not None
        is_frozen = dividend.id not in self.books.rerates
        if paid is not None and is_frozen and self._is_payment_right(dividend, accrual, paid):
            return paid
        rounding = accrual.rounding if is_frozen else self.holder.rounding
        fresh = payment_leg(self.holder, dividend, accrual, self._next_version(dividend.id, Leg.PAYMENT), due)
        if self.holder.currency != dividend.currency:
            rate = self._exchange_rate(dividend, due)
            if rate is None:
                what = f"{NO_RATE} from {dividend.currency} to {self.holder.currency} for {due}"
                self.changes.waiting.append(Wait(dividend.id, Leg.PAYMENT, what))
                return None
            amounts = Amounts(accrual.gross, accrual.tax, accrual.net)
            cash = converted(amounts, rate[0], self.holder.currency, rounding).net
            fresh = fresh._replace(
                cash=cash,
                rounding=rounding,
                fx_rate=rate[0],
                fx_date=rate[1],
                is_fx_of_action=dividend.fx_currency == self.holder.currency,
            )
        return paid if paid is not None and books_the_same(paid, fresh, with_kind=False) else fresh

    def _is_payment_right(self, dividend: Dividend, accrual: BookedLeg, paid: BookedLeg) -> bool:
        fixed = dividend.fx_rate if dividend.fx_currency == paid.cash_currency != dividend.currency else None
        return (
            (paid.quantity, paid.gross, paid.tax, paid.net)
            == (accrual.quantity, accrual.gross, accrual.tax, accrual.net)
            and paid.currency == accrual.currency
            and paid.due_date == dividend.pay.date
            and paid.is_fx_of_action == (fixed is not None)
            and (fixed is None or fixed == paid.fx_rate)
        )

    def _exchange_rate(self, dividend: Dividend, due: date) -> tuple[int, date] | None:
        """The rate that the company fixed, or the newest one up to the day of payment."""
        if dividend.fx_currency == self.holder.currency and dividend.fx_rate is not None:
            return dividend.fx_rate, due
        on = self.frame.rate_day(dividend.ex_date, due)
        return self.frame.rates.exchange(dividend.currency, self.holder.currency, on)

    # --- What people entered themselves.

    def _is_users_own(self, dividend: Dividend, accrual: BookedLeg) -> bool:
        order_id = self.books.links.get(dividend.id)
        if order_id is None:
            entry = self._nearest_entry(dividend, accrual)
            if entry is None:
                return False
            self.entries.remove(entry)
            order_id = entry.order_id
        self.changes.links.append(
            Link(dividend.id, self.holder.account_id, order_id, accrual.gross, accrual.net, accrual.currency)
        )
        return True

    def _nearest_entry(self, dividend: Dividend, accrual: BookedLeg) -> UserDividend | None:
        if not self.entries:
            return None
        around = dividend.pay.date or dividend.ex_date
        last = around + (LATEST_ENTRY if dividend.pay.date else UNKNOWN_PAY_DATE)
        fitting = [
            entry
            for entry in self.entries
            if dividend.ex_date <= entry.date <= last
            and (self._was_near(dividend, accrual, entry) or self._is_near(dividend, accrual, entry))
        ]
        return min(fitting, key=lambda entry: (abs(entry.date - around), entry.order_id), default=None)

    def _was_near(self, dividend: Dividend, accrual: BookedLeg, entry: UserDividend) -> bool:
        """Whether it stood for as much before: a rate that is edited in its table takes nothing from an entry."""
        known = self.books.known.get(dividend.id)
        owed = entry.order_id, accrual.gross, accrual.currency
        return known is not None and (known.order_id, known.gross, known.currency) == owed

    def _is_near(self, dividend: Dividend, accrual: BookedLeg, entry: UserDividend) -> bool:
        amounts = Amounts(accrual.gross, accrual.tax, accrual.net)
        if entry.currency != dividend.currency:
            rate = self._exchange_rate(dividend, dividend.pay.date or entry.date)
            if entry.currency != self.holder.currency or rate is None:
                return False
            amounts = converted(amounts, rate[0], entry.currency, accrual.rounding)
        return any(
            _is_close(theirs, ours) for theirs in (entry.gross, entry.net) for ours in (amounts.gross, amounts.net)
        )

    # --- Splits.

    def _split(self, event: ShareEvent, step: SplitStep | None) -> None:
        split = event.split
        key = split.action_id
        booked, paid = self._active(key, Leg.SPLIT), self._active(key, Leg.CIL)
        if step is None:
            self._take_back(booked, paid, NO_LONGER_ENTITLED if event.counts else CANCELLED)
            return
        shown = shown_quantity(step.before), shown_quantity(step.after)
        if max(map(abs, shown)) > BIGINT_MAX:
            self._leave(key)
            return
        if booked is None or (booked.quantity, booked.quantity_after, booked.due_date) != (*shown, split.ex_date):
            moved = booked is not None and self._reverse(booked, CHANGED)
            self._book(self._share_leg(event, Leg.SPLIT, shown[0], after=shown[1]), is_moved=moved)
        self._cash_in_lieu(event, step, paid)

    def _leave(self, action_id: int) -> None:
        """Book nothing for shares that no column holds: this account waits for a person, and others are paid."""
        self.changes.waiting.append(Wait(action_id, Leg.SPLIT, TOO_MANY, account_id=self.holder.account_id))
        self.changes.unpaid.add(action_id)

    def _cash_in_lieu(self, event: ShareEvent, step: SplitStep, paid: BookedLeg | None) -> None:
        fraction, key = step.fraction, event.split.action_id
        if self.holder.fractions is not FractionPolicy.CASH_IN_LIEU or not fraction:
            if paid is not None:
                self._reverse(paid, NO_LONGER_ENTITLED)
            return
        cut = shown_quantity(fraction)
        on = event.split.ex_date
        is_price_right = paid is not None and event.price in {None, paid.price}
        is_frozen = key not in self.books.rerates
        if paid is not None and is_frozen and is_price_right and (paid.quantity, paid.due_date) == (cut, on):
            return
        price = event.price if event.price is not None else paid.price if paid else self.frame.rates.close(on)
        rate = self._rate_between(self.company.currency, self.holder.currency, on)
        if price is None or rate is None:
            what = f"{NO_PRICE if price is None else NO_RATE} of {on} for a fraction of a share"
            self.changes.waiting.append(Wait(key, Leg.CIL, what))
            self.changes.unpaid.add(key)
            return
        worth = cash_in_lieu(fraction, price, currency=self.company.currency, rounding=self.holder.rounding)
        leg = self._share_leg(event, Leg.CIL, cut)
        fresh = leg._replace(
            gross=worth,
            net=worth,
            price=price,
            fx_rate=None if rate == RATE_ONE else rate,
            fx_date=None if rate == RATE_ONE else on,
            cash=converted(Amounts(worth, 0, worth), rate, self.holder.currency, self.holder.rounding).net,
        )
        if paid is not None and not is_frozen and books_the_same(paid, fresh, with_kind=False):
            return
        moved = paid is not None and self._reverse(paid, self.books.rerates.get(key, CHANGED))
        self._book(fresh, is_moved=moved)

    def _share_leg(self, event: ShareEvent, leg: Leg, quantity: int, *, after: int | None = None) -> BookedLeg:
        version = self._next_version(event.split.action_id, leg)
        return share_leg(
            self.holder, event, leg, version, currency=self.company.currency, quantity=quantity, after=after
        )


def _is_close(theirs: int, ours: int) -> bool:
    return abs(theirs - ours) <= NEAR_MONEY or abs(theirs - ours) * 100 <= abs(ours) * NEAR_PERCENT
