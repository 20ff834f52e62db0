"""When a quote may stand for a session's close, and when the company has to be asked for by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from closingbell.domain.bars import Bar, same_price
from closingbell.domain.intraday import QuoteLike
from closingbell.domain.money import price_to_decimal

# Prices that moved further than this, within a session or since the one before, are looked at beside their neighbours.
WIDEST_SESSION = 1.5
WIDEST_STEP = (0.75, 1.34)


class CompleteQuote(QuoteLike, Protocol):
    """A quote that also tells its unit and the close before."""

    @property
    def currency(self) -> str: ...
    @property
    def quote_unit(self) -> str: ...
    @property
    def previous_close(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Expected:
    """What a quote is held against: its company's unit, the session from its close on, and the stored bar before it."""

    currency: str | None
    quote_unit: str | None
    close_at: datetime
    next_open: datetime | None
    previous: Bar | None


class Prices(NamedTuple):
    """What a quote says of a session, complete."""

    open: int
    high: int
    low: int
    close: int
    volume: int


class Refused(NamedTuple):
    """Why a quote is not taken; ``doubts_previous`` where it speaks against the stored bar of the session before."""

    why: str
    doubts_previous: bool = False


ABSENT = Refused("no quote came")


def judge_quote(quote: CompleteQuote, expected: Expected) -> Prices | Refused:
    """The session's prices, if the quote is that session's last word and agrees with what is stored of its company."""
    previous = expected.previous
    why = _not_the_session(quote, expected) or _not_the_unit(quote, expected)
    if why is not None:
        return Refused(why)
    open_, high, low, close, volume = quote.open, quote.high, quote.low, quote.price, quote.volume
    if not (open_ and high and low and close and volume and quote.previous_close):
        return Refused("the quote lacks a price or the volume")
    if previous is None:
        return Refused("no close of the session before is stored")
    if not same_price(previous.close, quote.previous_close):
        told, stored = price_to_decimal(quote.previous_close), price_to_decimal(previous.close)
        return Refused(f"the quote's previous close is {told}, stored is {stored}", doubts_previous=True)
    told_now = Prices(open_, high, low, close, volume)
    return Refused(odd) if (odd := _odd(told_now, previous)) else told_now


def _not_the_session(quote: QuoteLike, expected: Expected) -> str | None:
    is_later = expected.next_open is not None and quote.traded_at >= expected.next_open
    if expected.close_at <= quote.traded_at and not is_later:
        return None
    return f"the quote is of {quote.traded_at:%Y-%m-%d %H:%M:%S} UTC, the close was at {expected.close_at:%H:%M} UTC"


def _not_the_unit(quote: CompleteQuote, expected: Expected) -> str | None:
    if quote.currency == expected.currency and quote.quote_unit == (expected.quote_unit or quote.quote_unit):
        return None
    return f"the quote is in {quote.quote_unit}, the company in {expected.quote_unit or expected.currency}"


def _odd(told: Prices, previous: Bar) -> str | None:
    """What is no error, but wants a look at more than one session."""
    if told == previous[1:]:
        return "the quote repeats the session before"
    is_far = not WIDEST_STEP[0] * previous.close <= told.close <= WIDEST_STEP[1] * previous.close
    if is_far or told.high > WIDEST_SESSION * told.low:
        return "the price moved far"
    return None
