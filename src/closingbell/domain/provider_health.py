"""How well a provider is: what its answers and errors of late say, and whether it may be asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

# One company's four tries that all fail say nothing of the provider; a fifth failure in a row does.
TRIP_AFTER = 5
# How long a provider that is down is left alone: after the first trip, after the first trial that failed, and so on.
TRIAL_WAITS = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 300, 600, 1800))
# Whoever tries has this long; then another may.
TRIAL_LEASE = timedelta(seconds=60)

_RATE_LIMITED, _BAD_ANSWER = "rate_limited", "bad_answer"
_TEMPORARY = frozenset({"temporary", "source_down", "deadline_exceeded"})
# Times that differ by less are no news: they are written down now and then only.
_NEWS = timedelta(seconds=30)
_SAME_END = timedelta(seconds=2)


class ProviderState(StrEnum):
    """What a person is told of a provider."""

    UP = "up"
    RATE_LIMITED = "rate limited"
    DOWN = "down"
    NOT_CONFIGURED = "not configured"
    BROKEN = "broken"
    NOT_IN_USE = "not in use"


class Turn(StrEnum):
    """Whether a provider may be asked: like any other day, as the one trial of one that was down, or not yet."""

    ASK = "ask"
    TRIAL = "trial"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class ProviderHealth:
    """What is known of a provider: temporary failures in a row, and how it ended last.

    ``trips`` counts how often it was given up since its last answer. While ``trial_at`` is set the breaker is open:
    nobody asks before that moment, and then one does, who has until ``trial_until``.
    """

    failures: int = 0
    trips: int = 0
    trial_at: datetime | None = None
    trial_until: datetime | None = None
    limited_until: datetime | None = None
    last_success_at: datetime | None = None
    last_error_at: datetime | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class BudgetLeft:
    """How many of ``most`` requests in any ``window`` (minute, hour) may still be sent now."""

    left: int
    most: int
    window: str

    def in_words(self) -> str:
        """``48 of 50 in this hour``."""
        return f"{self.left} of {self.most} in this {self.window}"


@dataclass(frozen=True, slots=True)
class ProviderView:
    """One provider as a person sees it; ``position`` is its place in the order, None when it is not in use.

    ``until``: when it is asked again; ``reason``: what is missing, or what is wrong with it. ``budget`` is None where
    nothing limits it, ``has_key`` where it needs none.
    """

    position: int | None
    name: str
    capabilities: tuple[str, ...]
    state: ProviderState
    until: datetime | None = None
    reason: str | None = None
    last_success_at: datetime | None = None
    last_error_at: datetime | None = None
    last_error: str | None = None
    budget: BudgetLeft | None = None
    has_key: bool | None = None

    def in_words(self, tell: Callable[[datetime], str]) -> str:
        """``rate limited, again at 16:52``; ``tell`` prints an instant."""
        if self.state is ProviderState.RATE_LIMITED and self.until is not None:
            return f"rate limited, again at {tell(self.until)}"
        if self.state is ProviderState.DOWN and self.until is not None:
            return f"down, next trial at {tell(self.until)}"
        return f"{self.state.value}: {self.reason}" if self.reason else self.state.value


def turn(health: ProviderHealth, *, now: datetime) -> Turn:
    """Whether the provider may be asked now."""
    if health.trial_at is None:
        return Turn.ASK
    under_trial = health.trial_until is not None and now < health.trial_until
    return Turn.WAIT if now < health.trial_at or under_trial else Turn.TRIAL


def asked_again_at(health: ProviderHealth, *, now: datetime) -> datetime:
    """When somebody may ask a provider again whose turn is to wait."""
    if health.trial_at is not None and now < health.trial_at:
        return health.trial_at
    # The trial that is under way tells within seconds, most likely.
    return now


def state_of(health: ProviderHealth, *, now: datetime) -> tuple[ProviderState, datetime | None]:
    """What to tell of a provider that can be asked, and until when."""
    if health.trial_at is not None:
        return ProviderState.DOWN, max(health.trial_at, now)
    if health.limited_until is not None and now < health.limited_until:
        return ProviderState.RATE_LIMITED, health.limited_until
    return ProviderState.UP, None


def with_trial(health: ProviderHealth, *, now: datetime) -> ProviderHealth:
    """After somebody began the trial."""
    return replace(health, trial_until=now + TRIAL_LEASE)


def with_answer(health: ProviderHealth, *, now: datetime) -> ProviderHealth:
    """After an answer: the breaker is closed. That a symbol is unknown is an answer too."""
    # An answer that was under way when the limit came does not lift it.
    is_limited = health.limited_until is not None and now < health.limited_until
    return ProviderHealth(
        limited_until=health.limited_until if is_limited else None,
        last_success_at=now,
        last_error_at=health.last_error_at,
        last_error=health.last_error,
    )


def with_error(
    health: ProviderHealth, *, kind: str, message: str, now: datetime, retry_after: timedelta | None = None
) -> ProviderHealth:
    """After an error of a kind that errors.py knows. Only temporary ones speak against the provider."""
    told = replace(health, last_error_at=now, last_error=message)
    if kind == _RATE_LIMITED:
        # It answers; asking it less is the budget's business.
        until = now + retry_after if retry_after is not None else None
        if health.limited_until is not None and now < health.limited_until:
            # Known already: the first word stays, and its end unless a later one is told.
            return replace(health, limited_until=max(until or now, health.limited_until))
        return replace(told, failures=0, trips=0, trial_at=None, trial_until=None, limited_until=until)
    if kind in _TEMPORARY:
        return _after_failure(told, now)
    if kind == _BAD_ANSWER:
        # Rubbish about one symbol does not close a breaker, and does not open one.
        return _after_failure(told, now) if health.trial_at is not None else told
    return with_answer(health, now=now)


def _after_failure(health: ProviderHealth, now: datetime) -> ProviderHealth:
    failures = health.failures + 1
    if health.trial_at is None:
        return _tripped(health, failures, now) if failures >= TRIP_AFTER else replace(health, failures=failures)
    if health.trial_until is None or now < health.trial_at:
        # A request that was under way when the breaker opened.
        return replace(health, failures=failures)
    return _tripped(health, failures, now)


def _tripped(health: ProviderHealth, failures: int, now: datetime) -> ProviderHealth:
    wait = TRIAL_WAITS[min(health.trips, len(TRIAL_WAITS) - 1)]
    return replace(health, failures=failures, trips=health.trips + 1, trial_at=now + wait, trial_until=None)


def is_news(before: ProviderHealth, after: ProviderHealth) -> bool:
    """Whether a change is worth writing down: not when only a time moved by seconds."""
    decisive = (before.failures, before.trips, before.trial_at, before.trial_until, before.last_error) != (
        after.failures,
        after.trips,
        after.trial_at,
        after.trial_until,
        after.last_error,
    )
    return (
        decisive
        or _moved(before.limited_until, after.limited_until, _SAME_END)
        or _moved(before.last_success_at, after.last_success_at, _NEWS)
        or _moved(before.last_error_at, after.last_error_at, _NEWS)
    )


def _moved(before: datetime | None, after: datetime | None, by: timedelta) -> bool:
    if before is None or after is None:
        return before is not after
    return abs(after - before) > by
