"""What is dear to read, kept for some seconds for all who ask in one process."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

V = TypeVar("V")

# What may be kept for less is read anew each time: little is stored, and nobody has to wait to see a change.
SHORTEST = timedelta(seconds=1)


class _Found(NamedTuple, Generic[V]):
    key: Hashable
    value: V
    ends_at: datetime


class Kept(Generic[V]):
    """The newest reading of one thing; threads may share it.

    Whoever reads says for how long it holds, by how dear it was. While one thread reads it anew, the others are given
    the former reading, so that a page which many people leave open is read once and not by each of them.
    """

    def __init__(self) -> None:
        self._found: _Found[V] | None = None
        self._reading = Lock()

    def load(self, key: Hashable, read: Callable[[], tuple[V, timedelta]], *, wall: datetime) -> V:
        """What ``read`` gave for this key, as long as it holds at ``wall``; else what it gives now."""
        found = self._found
        if found is None or found.key != key:
            return self._read(key, read, wall)
        if wall < found.ends_at or not self._reading.acquire(blocking=False):
            return found.value
        try:
            return self._read(key, read, wall)
        finally:
            self._reading.release()

    def _read(self, key: Hashable, read: Callable[[], tuple[V, timedelta]], wall: datetime) -> V:
        value, lasts = read()
        if lasts >= SHORTEST:
            self._found = _Found(key, value, wall + lasts)
        return value
