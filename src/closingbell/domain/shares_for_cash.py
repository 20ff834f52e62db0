"""Shares in place of cash: bought for a dividend at the market's price, or taken at the issuer's."""

from __future__ import annotations

from datetime import date, timedelta

from closingbell.domain.bookkeeping import CHANGED, NO_PRICE, NO_RATE, Bookkeeper
from closingbell.domain.dividends import RATE_ONE, Amounts, converted, reinvest
from closingbell.domain.entitlements import PositionWalk, Trade
from closingbell.domain.payment_legs import moves_as_much, scrip_leg
from closingbell.domain.payments import (
    BookedLeg,
    Changes,
    CompanyTerms,
    Dividend,
    Frame,
    Holder,
    HolderBooks,
    Leg,
    Wait,
)
from closingbell.domain.rounding import Rounding

# A price or a rate that is missing is waited for so long.
RETRY = timedelta(days=5)
# So long after that people are told of it, if nobody looked before.
TOLD_WITHIN = timedelta(days=7)
_DAY = timedelta(days=1)


class SharesForCash(Bookkeeper):
    """What becomes of a payment where the account wants shares; ``walk`` counts them for later actions."""

    def __init__(
        self, holder: Holder, company: CompanyTerms, books: HolderBooks, frame: Frame, walk: PositionWalk
    ) -> None:
        super().__init__(books, frame, Changes())
        self.holder = holder
        self.company = company
        self.walk = walk

    def _reinvest(self, dividend: Dividend, payment: BookedLeg) -> None:
        """Buy shares for a payment at the close of its day, once: a later correction never undoes it."""
        if not self.holder.is_reinvesting or payment.net <= 0 or (dividend.id, Leg.DRIP) in self.books.versions:
            return
        paid_on = self.books.first_paid.get(dividend.id, self.frame.today)
        age = self.frame.today - paid_on
        # One that was paid after the day that the books are made for is a matter of an ordinary run.
        is_over = age > RETRY
        if (
            age > RETRY + TOLD_WITHIN
            or (self.frame.is_past and age < -_DAY)
            or (is_over and self._began_after(paid_on))
        ):
            return
        on = self.frame.rates.trading_day(payment.due_date)
        price, net = (self.frame.rates.close(on) if on <= self.frame.today else None), payment.net
        if price is None:
            self.changes.waiting.append(Wait(dividend.id, Leg.DRIP, f"{NO_PRICE} of {on} to reinvest at", is_over))
            return
        into_trade = self._rate_between(payment.currency, self.company.currency, on)
        into_cash = self._rate_between(self.company.currency, self.holder.currency, on)
        if payment.currency == self.company.currency and payment.fx_rate is not None:
            into_cash = payment.fx_rate
        if into_trade is None or into_cash is None:
            self.changes.waiting.append(Wait(dividend.id, Leg.DRIP, f"{NO_RATE} for {on} to reinvest at", is_over))
            return
        if is_over:
            return
        net = converted(Amounts(net, 0, net), into_trade, self.company.currency, Rounding.DOWN).net
        bought = reinvest(
            net,
            price,
            decimals=self.holder.drip_decimals,
            currency=self.company.currency,
            rounding=self.holder.rounding,
        )
        if bought.shares == 0:
            return
        cost = Amounts(bought.cost, 0, bought.cost)
        cash = converted(cost, into_cash, self.holder.currency, self.holder.rounding).net
        self._book(
            payment._replace(
                leg=Leg.DRIP,
                version=1,
                quantity=bought.shares,
                per_share=0,
                gross=bought.cost,
                tax=0,
                net=bought.cost,
                currency=self.company.currency,
                tax_rate=0,
                fx_rate=None if into_cash == RATE_ONE else into_cash,
                cash=-cash,
                price=price,
                due_date=on,
                value_date=on,
                id=0,
            )
        )
        self.walk.add(Trade(on, bought.shares))

    def _began_after(self, paid_on: date) -> bool:
        """Whether the account chose to reinvest when no shares were bought any more: nobody waited for a price."""
        return self.holder.reinvests_since is not None and self.holder.reinvests_since > paid_on + RETRY

    def _rate_between(self, source: str, target: str, on: date) -> int | None:
        if source == target:
            return RATE_ONE
        found = self.frame.rates.exchange(source, target, on)
        return found[0] if found else None

    def _take_scrip(self, dividend: Dividend, payment: BookedLeg | None) -> bool:
        """Whole shares at the issuer's price in place of the cash, where the account chose them.

        They follow the payment, whatever becomes of it. Where nobody chose for this dividend, and no deadline says
        which standing choice counts, it is the one that the account has when it is paid.
        """
        held, key = self._active(dividend.id, Leg.SCRIP), (dividend.id, Leg.SCRIP)
        is_chosen = self.books.elections.get(dividend.id)
        if is_chosen is None:
            is_chosen = key in self.books.versions or (
                self.holder.takes_scrip and (dividend.id, Leg.PAYMENT) not in self.books.versions
            )
        fresh = None
        if payment is not None and is_chosen and dividend.scrip_price is not None:
            fresh = scrip_leg(payment, dividend.scrip_price, self._next_version(*key))
        if held is not None and fresh is not None and moves_as_much(held, fresh):
            return True
        if held is not None:
            self._give_scrip_back(held, CHANGED)
        if fresh is not None:
            self._book(fresh)
            self.walk.add(Trade(fresh.due_date, fresh.quantity))
        return fresh is not None

    def _give_scrip_back(self, held: BookedLeg, reason: str) -> None:
        self._reverse(held, reason)
        self.changes.corrected.add(held.action_id)
        self.walk.add(Trade(held.due_date, -held.quantity))

    def _take_back(self, booked: BookedLeg | None, paid: BookedLeg | None, reason: str) -> None:
        super()._take_back(booked, paid, reason)
        shares = self._active(paid.action_id, Leg.SCRIP) if paid is not None else None
        if shares is not None:
            self._give_scrip_back(shares, reason)
