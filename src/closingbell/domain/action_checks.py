"""Whether the facts of a corporate action make sense together: what a person typed is checked before it counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from closingbell.domain.actions import PAYING, AcceptedKind, Facts
from closingbell.domain.money import BIGINT_MAX
from closingbell.domain.orders import SYMBOL

_CURRENCY = re.compile(r"[A-Z]{3}")
_RATIO = re.compile(r"\s*(\d+)\s*[:/]\s*(\d+)\s*")


def parse_ratio(text: str) -> Fraction:
    """``3:2``, ``3/2`` or ``0.241917`` as an exact ratio; raise ValueError with a sentence that names it."""
    match = _RATIO.fullmatch(text)
    try:
        ratio = Fraction(int(match[1]), int(match[2])) if match else Fraction(Decimal(text.strip()))
    except (InvalidOperation, ValueError, ZeroDivisionError, OverflowError):
        raise ValueError(f"{text!r} is no ratio; write new:old, as in 3:2, or a number") from None
    if ratio <= 0 or max(ratio.numerator, ratio.denominator) > BIGINT_MAX:
        raise ValueError(f"{text!r} is no ratio: it must be above zero, with terms that can be stored")
    return ratio


def problems_of(facts: Facts) -> list[str]:
    """One sentence for everything that keeps facts from counting."""
    return [*_of_money(facts), *_of_shares(facts), *_of_terms(facts)]


def _of_money(facts: Facts) -> Iterator[str]:
    if facts.kind in PAYING:
        if facts.amount is None or facts.amount <= 0:
            yield "the amount per share must be above zero"
        if not _CURRENCY.fullmatch(facts.currency):
            yield f"the currency must be three capital letters, as in USD, not {facts.currency!r}"
    elif facts.amount is not None:
        yield f"a {_name(facts)} has no amount"


def _of_shares(facts: Facts) -> Iterator[str]:
    if facts.kind in PAYING:
        if facts.numerator is not None or facts.denominator is not None:
            yield f"a {_name(facts)} has no ratio"
        return
    if not facts.numerator or not facts.denominator or facts.numerator < 0 or facts.denominator < 0:
        yield "the ratio must be given as new:old, above zero"
        return
    ratio = facts.ratio
    if facts.kind in {AcceptedKind.SPLIT, AcceptedKind.STOCK_DIVIDEND} and ratio <= 1:
        yield f"a {_name(facts)} gives more shares than there were: {facts.numerator}:{facts.denominator} does not"
    if facts.kind is AcceptedKind.REVERSE_SPLIT and ratio >= 1:
        yield f"a reverse split gives fewer shares than there were: {facts.numerator}:{facts.denominator} does not"
    if facts.kind is AcceptedKind.SPIN_OFF and not facts.child_symbol:
        yield "a spin-off needs the symbol of the company spun off (--child)"
    if facts.child_symbol and not SYMBOL.fullmatch(facts.child_symbol):
        yield f"the company spun off: {facts.child_symbol!r} is not a symbol, as in AAPL or VOD.L"
    if facts.kind is not AcceptedKind.SPIN_OFF and facts.child_symbol:
        yield f"a {_name(facts)} spins no company off: leave {facts.child_symbol} out"


def _of_terms(facts: Facts) -> Iterator[str]:
    percent = facts.parent_basis_pct
    if facts.kind is AcceptedKind.SPIN_OFF and percent is None:
        yield "a spin-off needs the share of the cost that stays with the parent, in per cent (--parent-basis-pct)"
    if percent is not None and not 0 <= percent <= 100:
        yield f"the parent's share of the cost is {percent} per cent; it must lie between 0 and 100"
    if facts.tax_rate is not None and not 0 <= facts.tax_rate <= 1:
        yield f"a tax rate of {facts.tax_rate}; write 0.15 for 15 per cent"
    if (facts.fx_rate is None) != (facts.fx_currency is None):
        yield "an exchange rate fixed by the company needs its currency, and the other way round"
    if facts.fx_rate is not None and facts.fx_rate <= 0:
        yield "an exchange rate must be above zero"
    if facts.fx_currency is not None and not _CURRENCY.fullmatch(facts.fx_currency):
        yield f"the exchange rate's currency must be three capital letters, not {facts.fx_currency!r}"
    for name in ("cash_in_lieu_price", "scrip_price"):
        price = getattr(facts, name)
        if price is not None and price <= 0:
            yield f"the {name.replace('_', ' ')} must be above zero"
    if facts.scrip_price is not None and facts.kind is not AcceptedKind.SCRIP:
        yield f"a {_name(facts)} has no price of new shares"


def _name(facts: Facts) -> str:
    return facts.kind.value.lower().replace("_", " ")
