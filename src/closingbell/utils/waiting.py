"""Waiting, in one place: tests switch it off, and whoever waits can be told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Sleep = Callable[[float], None]

_switch = {"waits": True}


def pause(seconds: float) -> None:
    """Do nothing for ``seconds``, or return at once where waits are switched off."""
    if _switch["waits"] and seconds > 0:
        time.sleep(seconds)


@contextmanager
def waits_disabled() -> Iterator[None]:
    """Within it nothing waits, in any thread; for tests."""
    _switch["waits"] = False
    try:
        yield
    finally:
        _switch["waits"] = True
