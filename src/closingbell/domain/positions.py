"""Positions: shares of a company in an account, and what they cost, computed from orders and splits.

Quantities are scaled integers (10 decimals), or Fractions of them after a split that does not divide evenly; costs are
scaled money. Between two roundings everything is exact, so a:b and then b:a gives back what there was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date as Date  # noqa: N812  (a field is called Date)
from fractions import Fraction
from typing import NamedTuple

from closingbell.domain.entitlements import HALF, FractionPolicy, left_at_split, shown_quantity, split_quantity
from closingbell.domain.money import MONEY_SCALE
from closingbell.domain.orders import INCOMING, OUTGOING
from closingbell.domain.rounding import round_money

_PER_MONEY = 10**MONEY_SCALE

# Exact shares in units of the smallest quantity.
Shares = Fraction


class Trade(NamedTuple):
    """What a position needs of an order: ``worth`` is what came cost, what went brought, or a return of capital."""

    trade_date: Date
    type: str
    quantity: int
    worth: int
    order_id: int = 0


@dataclass(frozen=True, slots=True)
class Lot:
    """Shares that came by one order and what they cost; below zero for shares sold short and their proceeds."""

    acquired: Date
    order_id: int
    quantity: Shares
    cost: int


@dataclass(frozen=True, slots=True)
class Realised:
    """Part of a lot that was closed: ``quantity`` shares, below zero for a short; both amounts as scaled money.

    ``proceeds`` is None where shares left without a price: cash in lieu is paid by the books, not by the split.
    """

    date: Date
    acquired: Date
    order_id: int
    quantity: Shares
    proceeds: int | None
    cost: int

    @property
    def gain(self) -> int:
        """What the closing brought over its cost; 0 while nothing is known of a price."""
        return 0 if self.proceeds is None else self.proceeds - self.cost


@dataclass(frozen=True, slots=True)
class Position:
    """Shares held at the end of a day, their lots (oldest first) and every gain realised up to then."""

    lots: tuple[Lot, ...]
    realised: tuple[Realised, ...]

    @property
    def quantity(self) -> int:
        """Shares as they are shown and paid for: 10 decimals, half to even."""
        return shown_quantity(self.exact_quantity)

    @property
    def exact_quantity(self) -> Shares:
        """Shares without any rounding."""
        return sum((lot.quantity for lot in self.lots), Fraction(0))

    @property
    def cost(self) -> int:
        """What the open lots cost; below zero for a short."""
        return sum(lot.cost for lot in self.lots)

    def with_cash_in_lieu(self, paid: Mapping[Date, int]) -> Position:
        """The position with what was paid for fractions, by the split's ex-date, as their proceeds."""
        if not paid:
            return self
        realised = [
            replace(part, proceeds=paid[part.date]) if part.proceeds is None and part.date in paid else part
            for part in self.realised
        ]
        return replace(self, realised=tuple(realised))

    @property
    def realised_gain(self) -> int:
        """All gains and losses realised."""
        return sum(part.gain for part in self.realised)


def insert_before(trades: list[Trade], trade: Trade, *, on: Date | None = None) -> None:
    """Add a trade before all those of its own day, or of ``on``: what a company does comes before what people do."""
    day = on or trade.trade_date
    at = next((i for i, other in enumerate(trades) if other.trade_date >= day), len(trades))
    trades.insert(at, trade)


def return_capital(cost: int, amount: int) -> tuple[int, int]:
    """How much of a return of capital reduces ``cost``, and how much of it is a gain because nothing is left of it."""
    reduces = max(0, min(cost, amount))
    return reduces, amount - reduces


def shares_through(
    sums: Sequence[int], ratios: Sequence[Fraction], *, policy: FractionPolicy = FractionPolicy.KEEP
) -> Shares:
    """Shares after all ``ratios``, where ``sums[i]`` is what orders brought after ``i`` of these splits."""
    shares, moved = Fraction(sums[0]), sums[0]
    for ratio, brought in zip(ratios, sums[1:], strict=True):
        shares = split_quantity(left_at_split(shares, moved), ratio, policy)[1] + brought
        moved = brought
    return shares


def shares_held(orders: Iterable[tuple[Date, int | Fraction]], splits: Mapping[Date, Fraction]) -> Fraction:
    """Shares left after all ``orders`` (trade date, signed quantity) in today's share units.

    A split on an order's own day comes first: that day's trades are already in new shares.
    """
    shares = Fraction(0)
    for trade_date, quantity in orders:
        later = Fraction(1)
        for ex_date, ratio in splits.items():
            if ex_date > trade_date:
                later *= ratio
        shares += quantity * later
    return shares


def lowest_position(
    trades: Iterable[tuple[Date, int]], splits: Mapping[Date, Fraction], *, policy: FractionPolicy = FractionPolicy.KEEP
) -> tuple[Shares, Date | None]:
    """The lowest end of a day that signed ``trades`` lead to, and its date; zero and None where it is never below."""
    by_day: dict[Date, int] = {}
    for day, quantity in trades:
        by_day[day] = by_day.get(day, 0) + quantity
    shares, lowest, lowest_on = Fraction(0), Fraction(0), None
    for day in sorted({*by_day, *splits}):
        if day in splits:
            _, shares = split_quantity(shares, splits[day], policy)
        shares += by_day.get(day, 0)
        if shares <= lowest - HALF:
            lowest, lowest_on = shares, day
    return lowest, lowest_on


def sinks_to(
    before: Iterable[tuple[Date, int]],
    after: Iterable[tuple[Date, int]],
    splits: Mapping[Date, Fraction],
    *,
    policy: FractionPolicy = FractionPolicy.KEEP,
) -> tuple[Shares, Date] | None:
    """Where signed trades ``after`` a change lead below zero, and on which day; None if they do not, or did so before.

    Below what was lowest ``before`` the change, that is: a short position of long ago says nothing against it.
    """
    was, _ = lowest_position(before, splits, policy=policy)
    lowest, day = lowest_position(after, splits, policy=policy)
    return None if day is None or lowest >= was else (lowest, day)


def position_of(
    trades: Iterable[Trade],
    splits: Mapping[Date, Fraction],
    *,
    on: Date | None = None,
    policy: FractionPolicy = FractionPolicy.KEEP,
    currency: str = "USD",
) -> Position:
    """The position of one account in one company at the end of ``on``, first in, first out.

    ``trades`` come in the order in which they happened. A split counts at the open of its ex-date, before that day's
    trades, on the net position of the account.
    """
    steps = [(trade.trade_date, 1, i, trade) for i, trade in enumerate(trades) if on is None or trade.trade_date <= on]
    waiting = sorted((day, ratio) for day, ratio in splits.items() if on is None or day <= on)
    book = _Book(currency, policy)
    for _, _, _, trade in sorted(steps, key=lambda step: step[:3]):
        while waiting and waiting[0][0] <= trade.trade_date:
            book.split(*waiting.pop(0))
        book.take(trade)
    for day, ratio in waiting:
        book.split(day, ratio)
    book.gather(steps[-1][0] if steps else Date.min)
    return Position(tuple(book.lots), tuple(book.realised))


class _Book:
    """Lots of one account and company while orders and splits go by."""

    def __init__(self, currency: str, policy: FractionPolicy) -> None:
        self.currency = currency
        self.policy = policy
        self.lots: list[Lot] = []
        self.realised: list[Realised] = []
        # Less than half the smallest quantity that closing left of a lot, or of a trade: part of no lot.
        self.loose = Fraction(0)
        self.moved = 0

    def take(self, trade: Trade) -> None:
        if trade.type in INCOMING:
            self.moved += trade.quantity
            self._move(trade, Fraction(trade.quantity), trade.worth)
        elif trade.type in OUTGOING:
            self.moved -= trade.quantity
            self._move(trade, Fraction(-trade.quantity), -trade.worth)
        elif trade.type == "CAPITAL_RETURN":
            self._return_capital(trade)
        elif trade.type == "COST_CHANGE":
            self._change_cost(trade.worth)

    def _move(self, trade: Trade, shares: Shares, worth: int) -> None:
        """Close lots of the other sign, oldest first; what is left opens a lot of its own."""
        while shares and self.lots and (self.lots[0].quantity > 0) != (shares > 0):
            shares, worth = self._close(trade, shares, worth)
        if shares:
            self.lots.append(Lot(trade.trade_date, trade.order_id, shares, worth))

    def _close(self, trade: Trade, shares: Shares, worth: int) -> tuple[Shares, int]:
        lot = self.lots.pop(0)
        closed = min(abs(lot.quantity), abs(shares))
        lot_left, shares_left = abs(lot.quantity) - closed, abs(shares) - closed
        cost, of_trade = lot.cost, worth
        left = lot_left if lot.quantity > 0 else -lot_left
        if lot_left >= HALF:
            cost = self._part(lot.cost, closed, abs(lot.quantity))
            self.lots.insert(0, Lot(lot.acquired, lot.order_id, left, lot.cost - cost))
        else:
            self.loose += left
        if shares_left >= HALF:
            of_trade = self._part(worth, closed, abs(shares))
        else:
            self.loose += shares_left if shares > 0 else -shares_left
            shares_left = Fraction(0)
        # A transfer takes its shares along at their cost: nothing is gained.
        if trade.type not in ("TRANSFER_IN", "TRANSFER_OUT"):
            signed = closed if lot.quantity > 0 else -closed
            self.realised.append(Realised(trade.trade_date, lot.acquired, trade.order_id, signed, -of_trade, cost))
        return shares_left if shares > 0 else -shares_left, worth - of_trade

    def gather(self, day: Date) -> None:
        """Give what closing left loose to the oldest lot; without any it is one by itself, where it can be shown."""
        if self.lots:
            first = self.lots[0]
            self.lots[0] = replace(first, quantity=first.quantity + self.loose)
        elif abs(self.loose) >= HALF:
            self.lots.append(Lot(day, 0, self.loose, 0))
        else:
            return
        self.loose = Fraction(0)

    def split(self, day: Date, ratio: Fraction) -> None:
        net = sum((lot.quantity for lot in self.lots), self.loose)
        held, self.moved = left_at_split(net, self.moved), 0
        if not held:
            self.lots, self.loose = [], Fraction(0)
            return
        if not self.lots:
            self.lots, self.loose = [Lot(day, 0, self.loose, 0)], Fraction(0)
        self.gather(day)
        scaled = [Lot(lot.acquired, lot.order_id, lot.quantity * ratio, lot.cost) for lot in self.lots]
        raw, kept = split_quantity(held, ratio, self.policy)
        self.lots = scaled
        if kept != raw:
            self._cut(day, raw, kept)

    def _cut(self, day: Date, raw: Shares, kept: Shares) -> None:
        """Bring the lots to ``kept`` shares, each by its share; only cash in lieu takes cost with it."""
        share = kept / raw
        lots = [Lot(lot.acquired, lot.order_id, lot.quantity * share, lot.cost) for lot in self.lots]
        if self.policy is FractionPolicy.CASH_IN_LIEU:
            total = sum(lot.cost for lot in lots)
            gone = self._part(total, raw - kept, raw)
            self.realised.append(Realised(day, lots[0].acquired, 0, raw - kept, None, gone))
            lots = self._with_cost(lots, total - gone)
        self.lots = [lot for lot in lots if lot.quantity]

    def _return_capital(self, trade: Trade) -> None:
        """Each share gets as much; a lot whose cost is used up gains the rest."""
        amounts = self._shared(trade.worth, [lot.quantity for lot in self.lots])
        if not self.lots:
            self._gain(trade, trade.trade_date, trade.worth)
        for i, (lot, amount) in enumerate(zip(self.lots, amounts, strict=True)):
            reduces, gain = return_capital(lot.cost, amount)
            self.lots[i] = Lot(lot.acquired, lot.order_id, lot.quantity, lot.cost - reduces)
            self._gain(trade, lot.acquired, gain)

    def _gain(self, trade: Trade, acquired: Date, amount: int) -> None:
        if amount:
            self.realised.append(Realised(trade.trade_date, acquired, trade.order_id, Fraction(0), amount, 0))

    def _change_cost(self, amount: int) -> None:
        self.lots = self._with_cost(self.lots, sum(lot.cost for lot in self.lots) + amount)

    def _with_cost(self, lots: Sequence[Lot], total: int) -> list[Lot]:
        """The lots with ``total`` cost, shared as it was; by shares where there was none."""
        weights = [Fraction(lot.cost) for lot in lots]
        costs = self._shared(total, weights if any(weights) else [lot.quantity for lot in lots])
        return [Lot(lot.acquired, lot.order_id, lot.quantity, cost) for lot, cost in zip(lots, costs, strict=True)]

    def _shared(self, amount: int, weights: Sequence[Shares]) -> list[int]:
        """``amount`` shared out by ``weights``, each part in whole coins; the last one gets what is left."""
        parts: list[int] = []
        left, weight_left = amount, sum(weights, Fraction(0))
        for weight in weights:
            part = self._part(left, weight, weight_left) if weight_left else left
            parts.append(part)
            left, weight_left = left - part, weight_left - weight
        return parts

    def _part(self, amount: int, share: Shares, whole: Shares) -> int:
        return round_money(share / whole * amount / _PER_MONEY, self.currency)
