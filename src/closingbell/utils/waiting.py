"""Waiting, in one place: tests switch it off, and whoever waits can be told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Sleep = Callable[[float], None]

_SLICE_S = 0.5
_switch = {"waits": True}
_watch: ContextVar[Callable[[], None] | None] = ContextVar("watch", default=None)


def pause(seconds: float) -> None:
    """Do nothing for ``seconds``, or return at once where waits are switched off; raise what ``watched`` raises."""
    check = _watch.get()
    if not _switch["waits"]:
        return
    ends_at = time.monotonic() + seconds
    while (left := ends_at - time.monotonic()) > 0:
        if check is not None:
            check()
        time.sleep(min(left, _SLICE_S))


@contextmanager
def watched(check: Callable[[], None]) -> Iterator[None]:
    """Within it, this thread's waits call ``check`` twice a second; what it raises ends the wait."""
    token = _watch.set(check)
    try:
        yield
    finally:
        _watch.reset(token)


@contextmanager
def waits_disabled() -> Iterator[None]:
    """Within it nothing waits, in any thread; for tests."""
    _switch["waits"] = False
    try:
        yield
    finally:
        _switch["waits"] = True
