"""Work on very many small objects, without the interpreter looking through them for cycles again and again."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager


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
    """Do not look for cycles meanwhile, in the whole process: for bounded work only. Anything else is freed as ever."""
    _pauses.begin()
    try:
        yield
    finally:
        _pauses.end()
