"""What the payments of a run come to, for those outside who are told of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from closingbell.domain.money import MONEY_SCALE, from_scaled, plain
from closingbell.domain.payments import Changes, Leg

# So many companies are named; the rest is counted.
MOST_PAID_NAMED = 100


@dataclass(slots=True)
class Paid:
    """Payments booked and taken back: how many, their cash by currency in whole 1e-4, and the companies' symbols.

    What was owed, reinvested or paid for fractions is none of it.
    """

    payment_count: int = 0
    taken_back_count: int = 0
    cash: Counter[str] = field(default_factory=Counter)
    taken_back: Counter[str] = field(default_factory=Counter)
    symbols: set[str] = field(default_factory=set)

    def add(self, symbol: str, changes: Changes) -> None:
        """Count what one account's changes pay and take back."""
        for leg in changes.bookings:
            if leg.leg is Leg.PAYMENT:
                self.payment_count += 1
                self.cash[leg.cash_currency] += leg.cash
                self.symbols.add(symbol)
        for one in changes.reversals:
            if one.booked.leg is Leg.PAYMENT:
                self.taken_back_count += 1
                self.taken_back[one.booked.cash_currency] += one.booked.cash

    def as_text(self) -> str:
        """All of it, to be read back with ``of_text``."""
        return json.dumps(
            {
                "payment_count": self.payment_count,
                "taken_back_count": self.taken_back_count,
                "cash": self.cash,
                "taken_back": self.taken_back,
                "symbols": sorted(self.symbols),
            }
        )

    @classmethod
    def of_text(cls, text: str) -> Paid:
        """What ``as_text`` wrote."""
        found = json.loads(text)
        counts = found["payment_count"], found["taken_back_count"]
        return cls(*counts, Counter(found["cash"]), Counter(found["taken_back"]), set(found["symbols"]))

    def in_json(self) -> dict[str, object]:
        """Counts, exact amounts as text, and the first symbols, for a webhook."""
        return {
            "payment_count": self.payment_count,
            "cash": _amounts(self.cash),
            "taken_back_count": self.taken_back_count,
            "taken_back": _amounts(self.taken_back),
            "symbols": sorted(self.symbols)[:MOST_PAID_NAMED],
            "symbol_count": len(self.symbols),
        }


def paid_together(parts: Iterable[Paid]) -> Paid:
    """What several transactions paid, as one."""
    whole = Paid()
    for part in parts:
        whole.payment_count += part.payment_count
        whole.taken_back_count += part.taken_back_count
        whole.cash.update(part.cash)
        whole.taken_back.update(part.taken_back)
        whole.symbols |= part.symbols
    return whole


def _amounts(cash: Counter[str]) -> dict[str, str]:
    return {currency: plain(from_scaled(amount, MONEY_SCALE)) for currency, amount in sorted(cash.items())}
