"""The requests that a run costs, counted by provider at the place where each is sent.

Providers are shared by all runs of a process, so what one of them has sent since a run began may be another run's too.
A meter follows its run instead: through every thread that answers for it, because a question takes its context along.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar


class RequestMeter:
    """Requests sent so far, by provider; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    @property
    def by_provider(self) -> Mapping[str, int]:
        """Requests sent so far, by provider in the order of the alphabet; a provider that was sent none is absent."""
        with self._lock:
            return dict(sorted(self._counts.items()))

    @property
    def total(self) -> int:
        """Requests sent so far, to all providers."""
        return sum(self.by_provider.values())

    def add(self, provider: str, count: int) -> None:
        """Count ``count`` requests to a provider."""
        with self._lock:
            self._counts[provider] = self._counts.get(provider, 0) + count


_meter: ContextVar[RequestMeter | None] = ContextVar("closingbell_request_meter", default=None)


@contextmanager
def metered(meter: RequestMeter) -> Iterator[None]:
    """Whatever is sent meanwhile for this thread, and for those that take its context along, counts on ``meter``."""
    token = _meter.set(meter)
    try:
        yield
    finally:
        _meter.reset(token)


def note_sent(provider: str, count: int = 1) -> None:
    """Requests leave for a provider: they count where a run asked for them, a first try and a repeated one alike."""
    meter = _meter.get()
    if meter is not None and count > 0:
        meter.add(provider, count)
