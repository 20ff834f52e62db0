"""How often Python looks for garbage in a process of ours, and when not at all."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# New objects between two looks. Loading modules and reading years of bars makes many objects and no garbage in cycles:
# with Python's own 700, a twentieth of a command's start and a sixth of a backfill go into looking for some.
OBJECTS_PER_LOOK = 50_000


def collect_less_often() -> None:
    """Look for garbage every 50,000 new objects; for processes that are closingbell's own."""
    gc.set_threshold(OBJECTS_PER_LOOK, 20, 20)


class _Pauses:
    """How many pieces of work asked for quiet; the last one to end lets the collector go on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._was_enabled = False

    def begin(self) -> None:
        with self._lock:
            if not self._count:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._count += 1

    def end(self) -> None:
        with self._lock:
            self._count -= 1
            if not self._count and self._was_enabled:
                gc.enable()


_pauses = _Pauses()


@contextmanager
def cycles_kept() -> Iterator[None]:
    """Do not look for cycles meanwhile, in the whole process: for bounded work on very many small objects.

    Anything that is in no cycle is freed as ever.
    """
    _pauses.begin()
    try:
        yield
    finally:
        _pauses.end()
