"""Providers in the order that a person chose: the first that can answer does, and every answer says who gave it.

One pass asks each provider once at most; trying again is the caller's business, so that there is one layer of retries.
A provider that is down is passed over until its next trial is due.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import TypeVar, cast

import structlog

from closingbell.domain.provider_health import Turn
from closingbell.errors import (
    ProviderError,
    SettingsError,
    SourceDownError,
    SymbolDoubtedError,
    SymbolUnknownError,
)
from closingbell.providers.base import (
    CALENDAR,
    DAILY,
    MINUTES,
    QUOTES,
    CalendarProvider,
    CompanyCalendar,
    DailyHistory,
    MinuteHistory,
    PriceProvider,
    Quote,
)
from closingbell.providers.health import HealthBook

A = TypeVar("A")

PASSED_OVER = "provider.passed_over"

# A provider further down that does not know a symbol is not asked for it again for so long.
WORD_HOLDS = timedelta(hours=24)

# Provider's name, our symbol, date -> the symbol under which that provider knows the company on that date.
Spelling = Callable[[str, str, date], str]

_log = structlog.get_logger(__name__)


def as_it_is(_provider: str, symbol: str, _on: date) -> str:
    """Every provider knows our symbols; what it spells differently it translates itself."""
    return symbol


class ProviderChain:
    """Several providers as one. Its answers are never a mix: each company's comes from one provider whole."""

    def __init__(self, links: Sequence[PriceProvider], *, health: HealthBook, spelling: Spelling = as_it_is) -> None:
        if not links:
            raise SettingsError("PRICE_PROVIDERS: names no provider that can be used")
        self._links = tuple(links)
        self.name = ", ".join(link.name for link in links)
        self.capabilities: frozenset[str] = frozenset().union(*(link.capabilities for link in links))
        self._health = health
        self._spelling = spelling
        self._unknown: dict[tuple[str, str], tuple[datetime, SymbolUnknownError]] = {}

    @property
    def request_count(self) -> int:
        """Requests sent so far, over all providers."""
        return sum(link.request_count for link in self._links)

    def close(self) -> None:
        """Let go of every provider's threads and connections."""
        for link in self._links:
            link.close()

    def without(self, name: str) -> ProviderChain | None:
        """The other providers, in order, with the same health; None when there is none."""
        others = [link for link in self._links if link.name != name]
        return ProviderChain(others, health=self._health, spelling=self._spelling) if others else None

    def fetch_daily(self, symbol: str, *, first: date, now: datetime) -> DailyHistory:
        """The daily bars of the first provider that has them."""

        def ask(link: PriceProvider) -> DailyHistory:
            spelled = self._spelling(link.name, symbol, now.date())
            return replace(link.fetch_daily(spelled, first=first, now=now), symbol=symbol)

        return self._ask_in_order(DAILY, symbol, ask, now=now)

    def fetch_minutes(self, symbol: str, *, since: datetime, now: datetime) -> MinuteHistory:
        """The minute bars of the first provider that has them."""

        def ask(link: PriceProvider) -> MinuteHistory:
            spelled = self._spelling(link.name, symbol, now.date())
            return replace(link.fetch_minutes(spelled, since=since, now=now), symbol=symbol)

        return self._ask_in_order(MINUTES, symbol, ask, now=now)

    def fetch_calendar(self, symbol: str, *, now: datetime) -> CompanyCalendar:
        """The calendar of the first provider that has one."""

        def ask(link: PriceProvider) -> CompanyCalendar:
            spelled = self._spelling(link.name, symbol, now.date())
            return replace(cast(CalendarProvider, link).fetch_calendar(spelled, now=now), symbol=symbol)

        return self._ask_in_order(CALENDAR, symbol, ask, now=now)

    def fetch_quotes(self, symbols: Sequence[str], *, now: datetime) -> dict[str, Quote]:
        """Quotes of up to 100 symbols; those that a provider does not know are asked of the next."""
        found: dict[str, Quote] = {}
        refusals: list[tuple[str, ProviderError]] = []
        is_answered = False
        for link in self._able(QUOTES):
            missing = [symbol for symbol in symbols if symbol not in found]
            if not missing:
                break
            try:
                found |= self._ask(link, partial(self._quotes, missing=missing, now=now))
                is_answered = True
            except ProviderError as error:
                self._pass_over(link, error, refusals)
        if not is_answered and refusals:
            raise _told(refusals)
        return found

    def _quotes(self, link: PriceProvider, *, missing: Sequence[str], now: datetime) -> dict[str, Quote]:
        """One provider's quotes under our own symbols."""
        ours = {self._spelling(link.name, symbol, now.date()): symbol for symbol in missing}
        quotes = link.fetch_quotes(list(ours), now=now)
        return {ours[spelled]: replace(quote, symbol=ours[spelled]) for spelled, quote in quotes.items()}

    def _able(self, capability: str) -> list[PriceProvider]:
        return [link for link in self._links if capability in link.capabilities]

    def _ask_in_order(self, capability: str, symbol: str, ask: Callable[[PriceProvider], A], *, now: datetime) -> A:
        """The first answer. Without one, the word of the first provider counts, with what the others said.

        So trouble at a provider further down never hides that a symbol does not exist, nor the other way round.
        """
        refusals: list[tuple[str, ProviderError]] = []
        for link in self._able(capability):
            try:
                self._recall(link, symbol, is_first=not refusals, now=now)
                return self._ask(link, ask)
            except ProviderError as error:
                self._remember(link, symbol, error, now)
                self._pass_over(link, error, refusals)
        if not refusals:
            raise SettingsError(f"PRICE_PROVIDERS: none of {self.name} has {capability} prices")
        raise _told(refusals)

    def _ask(self, link: PriceProvider, ask: Callable[[PriceProvider], A]) -> A:
        """One provider's answer, when it is its turn; what comes of it is written down."""
        turn = self._health.take_turn(link.name)
        if turn is Turn.WAIT:
            raise self._not_asked(link)
        try:
            answer = ask(link)
        except ProviderError as error:
            self._health.note_error(link.name, error)
            raise
        else:
            self._health.note_answer(link.name)
        finally:
            if turn is Turn.TRIAL:
                self._health.end_trial(link.name)
        return answer

    def _not_asked(self, link: PriceProvider) -> SourceDownError:
        reason = self._health.read(link.name).last_error or f"{link.name} is down"
        error = SourceDownError(f"{reason}, and is not asked before its next trial")
        error.retry_after_s = self._health.wait_s(link.name)
        return error

    def _pass_over(self, link: PriceProvider, error: ProviderError, refusals: list[tuple[str, ProviderError]]) -> None:
        refusals.append((link.name, error))
        if len(self._links) > 1:
            _log.info(PASSED_OVER, provider=link.name, kind=error.kind, error=str(error))

    def _recall(self, link: PriceProvider, symbol: str, *, is_first: bool, now: datetime) -> None:
        """Raise what a provider further down said of a symbol; the first one is always asked."""
        said = self._unknown.get((link.name, symbol))
        if said is None or is_first:
            return
        if now - said[0] < WORD_HOLDS:
            raise said[1]
        del self._unknown[link.name, symbol]

    def _remember(self, link: PriceProvider, symbol: str, error: ProviderError, now: datetime) -> None:
        if isinstance(error, SymbolUnknownError):
            self._unknown.setdefault((link.name, symbol), (now, error))


def _told(refusals: Sequence[tuple[str, ProviderError]]) -> ProviderError:
    """The first provider's error, with what the others said after it."""
    _, first = refusals[0]
    if len(refusals) == 1:
        return first
    others = "; ".join(f"{name}: {error}" for name, error in refusals[1:])
    if isinstance(first, SymbolUnknownError) and not all(isinstance(e, SymbolUnknownError) for _, e in refusals):
        # Somebody who could not be asked may know it: that is not the word of all.
        return SymbolDoubtedError(f"{first}; {others}")
    told = copy.copy(first)
    told.args = (f"{first}; {others}",)
    return told


def second_opinion(provider: PriceProvider, *, apart_from: str) -> PriceProvider | None:
    """Another provider of daily bars than the one that gave an answer; None when there is none."""
    if not isinstance(provider, ProviderChain):
        return None
    others = provider.without(apart_from)
    return others if others is not None and DAILY in others.capabilities else None
