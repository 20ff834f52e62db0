"""Positions: shares of a company in an account, computed from orders and splits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction


def shares_held(orders: Iterable[tuple[date, int | Fraction]], splits: Mapping[date, Fraction]) -> Fraction:
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
