"""What a run of dividends books, or would book, in words: cash that comes, and how much of it buys shares."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from closingbell.domain.money import MONEY_SCALE, from_scaled, grouped, plain
from closingbell.domain.payments import Changes, Leg
from closingbell.jobs.dividend_deciding import Decision
from closingbell.utils.text import counted

# What these legs spend was paid before, and is told beside the cash.
_IN_SHARES = frozenset({Leg.DRIP, Leg.SCRIP})
_IN_CASH = frozenset({Leg.PAYMENT, Leg.CIL, Leg.FRACTION})
_OF_SHARES = frozenset({Leg.SPLIT, Leg.SPIN_OFF, Leg.SCRIP})


@dataclass(slots=True)
class Moved:
    """Cash by currency, in whole 1e-4: what came, less what was taken back, and what bought shares.

    ``reinvested`` is of the payments counted here, ``reinvested_late`` of earlier ones, whose price came later.
    """

    cash: Counter[str] = field(default_factory=Counter)
    reinvested: Counter[str] = field(default_factory=Counter)
    reinvested_late: Counter[str] = field(default_factory=Counter)

    def add(self, changes: Changes) -> None:
        """Count one account's changes."""
        bought = []
        for leg in changes.bookings:
            if leg.leg in _IN_SHARES:
                bought.append(leg)
            elif leg.cash:
                self.cash[leg.cash_currency] += leg.cash
        for leg in bought:
            is_paid_now = any(one.leg is Leg.PAYMENT and one.action_id == leg.action_id for one in changes.bookings)
            of = self.reinvested if is_paid_now else self.reinvested_late
            of[leg.cash_currency] -= leg.cash
        for one in changes.reversals:
            if one.booked.leg in _IN_SHARES:
                self.reinvested[one.booked.cash_currency] += one.booked.cash
            else:
                self.cash[one.booked.cash_currency] -= one.booked.cash

    def include(self, other: Moved) -> None:
        """Count what was counted elsewhere."""
        self.cash.update(other.cash)
        self.reinvested.update(other.reinvested)
        self.reinvested_late.update(other.reinvested_late)

    def in_words(self) -> str:
        """``53.00 USD, 52.98 USD of it reinvested``; empty where no cash moves."""
        words = _listed(amounts(self.cash))
        if amounts(self.reinvested):
            words += f", {_listed(amounts(self.reinvested))} of it reinvested"
        if amounts(self.reinvested_late):
            words += f"{'; ' * bool(words)}{_listed(amounts(self.reinvested_late))} of earlier payments reinvested"
        return words


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would book: payments by account and currency, reversals, and what is only suggested.

    ``account_count`` are accounts that would be paid, ``owed_count`` others of which only is written down what they are
    owed, ``share_count`` those in which only shares move. ``cash`` is all that would be paid less what would be taken
    back; ``reinvested`` the part of it that would buy shares, ``reinvested_late`` what would be spent of earlier
    payments.
    """

    account_count: int
    owed_count: int
    share_count: int
    payment_count: int
    reversal_count: int
    cash: dict[str, str]
    reinvested: dict[str, str]
    reinvested_late: dict[str, str]
    suggestion_count: int
    lines: tuple[str, ...]

    def in_words(self) -> str:
        """``would pay 41 accounts 1,203.10 USD, 52.98 USD of it reinvested``."""
        return "; ".join(self._clauses()) or "nothing is due"

    def _clauses(self) -> Iterator[str]:
        money = _listed(self.cash)
        if self.account_count:
            bought = f", {_listed(self.reinvested)} of it reinvested" if self.reinvested else ""
            yield f"would pay {counted(self.account_count, 'account')} {money or 'no cash'}{bought}"
        if self.reversal_count:
            moved = f" ({money})" if money and not self.account_count else ""
            yield f"would take back {counted(self.reversal_count, 'payment')}{moved}"
        if self.reinvested_late:
            yield f"would reinvest {_listed(self.reinvested_late)} of earlier payments"
        if self.owed_count:
            yield f"would write down what is owed to {counted(self.owed_count, 'account')}"
        if self.share_count:
            yield f"would move shares of {counted(self.share_count, 'account')}"
        if not (self.account_count or self.reversal_count or self.reinvested_late) and self.lines:
            yield "no cash moves"


def preview_of(decisions: Iterable[Decision], *, suggestion_count: int) -> Preview:
    """What these decisions would book."""
    moved, payments, back, lines = Moved(), 0, 0, []
    legs: dict[int, set[Leg]] = defaultdict(set)
    for decision in decisions:
        for account_id, changes in decision.changes:
            legs[account_id] |= {leg.leg for leg in changes.bookings}
            moved.add(changes)
            payments += sum(leg.leg is Leg.PAYMENT for leg in changes.bookings)
            back += sum(one.booked.leg in _IN_CASH for one in changes.reversals)
        lines.append(_line(decision))
    paid = {account_id for account_id, of in legs.items() if of & _IN_CASH}
    owed = {account_id for account_id, of in legs.items() if Leg.ACCRUAL in of} - paid
    shares = {account_id for account_id, of in legs.items() if of & _OF_SHARES} - paid - owed
    return Preview(
        len(paid),
        len(owed),
        len(shares),
        payments,
        back,
        amounts(moved.cash, thousands=True),
        amounts(moved.reinvested, thousands=True),
        amounts(moved.reinvested_late, thousands=True),
        suggestion_count,
        tuple(lines),
    )


def _line(decision: Decision) -> str:
    """One company's changes in a line."""
    booked = sum(len(changes.bookings) for _, changes in decision.changes)
    back = sum(len(changes.reversals) for _, changes in decision.changes)
    moved = Moved()
    for _, changes in decision.changes:
        moved.add(changes)
    return f"{decision.waiting.symbol}: {booked} to book, {back} to take back, cash {moved.in_words() or '0.00'}"


def amounts(of: Counter[str], *, thousands: bool = False) -> dict[str, str]:
    """Amounts as text by currency, without those of nothing."""
    found = {currency: from_scaled(amount, MONEY_SCALE) for currency, amount in sorted(of.items()) if amount}
    return {currency: grouped(amount) if thousands else plain(amount) for currency, amount in found.items()}


def _listed(shown: dict[str, str]) -> str:
    return ", ".join(f"{amount} {currency}" for currency, amount in shown.items())
