"""Providers of other packages: found by entry point, kept at arm's length."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar, cast

import structlog

from closingbell.config import Settings
from closingbell.errors import BadAnswerError, ClosingbellError, SettingsError
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
from closingbell.providers.meter import note_sent

GROUP = "closingbell.providers"
PLUGIN_FAILED = "provider.plugin_failed"

_KNOWN = frozenset({DAILY, QUOTES, MINUTES, CALENDAR})
# What fits the column that every bar keeps its provider in, and a file name.
NAME = re.compile(r"[a-z][a-z0-9_-]{0,15}")

A = TypeVar("A")
Factory = Callable[[Settings], PriceProvider]

_log = structlog.get_logger(__name__)


def installed() -> Mapping[str, EntryPoint]:
    """Every provider that another package offers, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def open_guest(point: EntryPoint, settings: Settings) -> PriceProvider:
    """A provider of another package; raise SettingsError with its name when it cannot be loaded or made.

    A SettingsError of its own, which names what is missing, is raised as it is.
    """
    try:
        factory = cast(Factory, point.load())
        provider = factory(settings)
    except ClosingbellError:
        raise
    except Exception as error:
        _log.warning(PLUGIN_FAILED, provider=point.name, error=repr(error))
        raise BrokenProviderError(f"{point.value} failed ({type(error).__name__}: {error})") from error
    problem = _problem(provider, point.name)
    if problem:
        raise BrokenProviderError(f"{point.value}: {problem}")
    return Guest(provider)


class BrokenProviderError(SettingsError):
    """A provider of another package cannot be loaded, or is none."""


def _problem(provider: Any, name: str) -> str | None:
    """What keeps an object from being a provider, or None."""
    if getattr(provider, "name", None) != name:
        return f"its name is {getattr(provider, 'name', None)!r}, not {name!r}"
    if not NAME.fullmatch(name):
        return "a name is at most 16 lower-case letters, digits, - and _"
    capabilities = getattr(provider, "capabilities", None)
    if not isinstance(capabilities, frozenset) or not capabilities or capabilities - _KNOWN:
        return f"its capabilities are {capabilities!r}, not a frozenset of {', '.join(sorted(_KNOWN))}"
    needed = [f"fetch_{capability}" for capability in sorted(capabilities)]
    missing = [part for part in (*needed, "close") if not callable(getattr(provider, part, None))]
    return f"it lacks {', '.join(missing)}" if missing else None


class Guest:
    """Somebody else's provider: a bug in it costs its answer, not the run."""

    def __init__(self, provider: PriceProvider) -> None:
        self._provider = provider
        self.name = provider.name
        self.capabilities = provider.capabilities
        self._counting = threading.Lock()
        self._noted_count = self.request_count

    @property
    def request_count(self) -> int:
        """Requests sent so far, where it counts them."""
        return int(getattr(self._provider, "request_count", 0))

    def fetch_daily(self, symbol: str, *, first: date, now: datetime) -> DailyHistory:
        """Its daily bars."""
        return self._carefully(lambda: self._provider.fetch_daily(symbol, first=first, now=now))

    def fetch_quotes(self, symbols: Sequence[str], *, now: datetime) -> dict[str, Quote]:
        """Its quotes."""
        return self._carefully(lambda: self._provider.fetch_quotes(symbols, now=now))

    def fetch_minutes(self, symbol: str, *, since: datetime, now: datetime) -> MinuteHistory:
        """Its minute bars."""
        return self._carefully(lambda: self._provider.fetch_minutes(symbol, since=since, now=now))

    def fetch_calendar(self, symbol: str, *, now: datetime) -> CompanyCalendar:
        """Its calendar of a company."""
        return self._carefully(lambda: cast(CalendarProvider, self._provider).fetch_calendar(symbol, now=now))

    def close(self) -> None:
        """Let it go; what it raises then is nobody's business any more."""
        try:
            self._provider.close()
        except Exception as error:
            _log.warning(PLUGIN_FAILED, provider=self.name, error=repr(error))

    def _carefully(self, ask: Callable[[], A]) -> A:
        try:
            return ask()
        except ClosingbellError:
            raise
        except Exception as error:
            _log.warning(PLUGIN_FAILED, provider=self.name, error=repr(error))
            raise BadAnswerError(f"the provider {self.name} failed ({type(error).__name__})") from error
        finally:
            self._note_sent()

    def _note_sent(self) -> None:
        """What it has sent since this was told last: it says no more than a total, so each request counts once."""
        with self._counting:
            sent = self.request_count
            new, self._noted_count = sent - self._noted_count, sent
        note_sent(self.name, new)
