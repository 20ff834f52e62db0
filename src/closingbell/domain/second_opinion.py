"""Whether another provider's bar bears out one that was set aside."""

from __future__ import annotations

from closingbell.domain.bars import Bar
from closingbell.domain.money import plain, price_to_decimal

# Closes of two providers that differ by at most so much are one close: 0.5 %.
_PER_MILLE = 5
# A bar that contradicts itself is borne out only as a whole.
_WHOLE = frozenset({"outside_range"})


def bears_out(bar: Bar, other: Bar, *, rule: str) -> bool:
    """Whether ``other`` agrees with a bar that broke ``rule``: on its close, or on all prices if need be."""
    if rule in _WHOLE:
        return all(_agree(ours, theirs) for ours, theirs in zip(bar[1:5], other[1:5], strict=True))
    return _agree(bar.close, other.close)


def _agree(price: int, other: int) -> bool:
    return other > 0 and abs(price - other) * 1000 <= other * _PER_MILLE


def difference_in_words(bar: Bar, other: Bar) -> str:
    """``its close is 585.28, not 58528.00``."""
    close, others = plain(price_to_decimal(bar.close)), plain(price_to_decimal(other.close))
    if close != others and not _agree(bar.close, other.close):
        return f"its close is {others}, not {close}"
    told = ", ".join(plain(price_to_decimal(price)) for price in other[1:5])
    return f"its open, high, low and close are {told}"
