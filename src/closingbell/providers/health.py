"""The health of every provider, kept in files that all processes of this user on this machine share.

It lies beside the request budget: a source that refuses refuses this machine, not one process.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from filelock import FileLock, Timeout

from closingbell.domain.provider_health import (
    TRIAL_LEASE,
    ProviderHealth,
    Turn,
    asked_again_at,
    is_news,
    turn,
    with_answer,
    with_error,
    with_trial,
)
from closingbell.errors import ProviderError, TemporaryProviderError
from closingbell.utils.clock import Clock, SystemClock
from closingbell.utils.waiting import pause

BREAKER_OPENED = "provider.down"
BREAKER_CLOSED = "provider.up_again"
HEALTH_NOT_SHARED = "provider.health_not_shared"

_LOCK_TIMEOUT_S = 2.0
_LONGEST_MESSAGE = 300
_SLICE_S = 0.2
_INSTANTS = frozenset(field.name for field in fields(ProviderHealth) if field.name.endswith(("_at", "_until")))

_log = structlog.get_logger(__name__)


class HealthBook:
    """Reads and writes the health of providers by name; in real time, for real servers are down in real time.

    Where ``folder`` cannot be used the book is this process's own.
    """

    def __init__(self, folder: Path, *, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._known: dict[str, tuple[tuple[int, int] | None, ProviderHealth]] = {}
        self._trials: dict[str, threading.Event] = {}
        self._is_shared = True

    def read(self, name: str) -> ProviderHealth:
        """What is known of a provider; a file that cannot be read leaves what was known a moment ago."""
        stamp, health = self._known.get(name, (None, ProviderHealth()))
        if not self._is_shared:
            return health
        path = self._path(name)
        try:
            found = path.stat()
            newest = (found.st_mtime_ns, found.st_ino)
            if newest != stamp:
                health = _from_json(json.loads(path.read_text(encoding="utf-8")))
                self._known[name] = (newest, health)
        except FileNotFoundError:
            return ProviderHealth() if stamp is not None else health
        except (OSError, ValueError, TypeError, AttributeError):
            pass
        return health

    def take_turn(self, name: str) -> Turn:
        """Whether the provider may be asked; of several that could try one that was down, one gets the trial.

        A trial that another thread has begun is waited for: it tells more than guessing. It ends with ``end_trial``.
        """
        found = self._claim_turn(name)
        trial = self._trials.get(name)
        if found is Turn.WAIT and trial is not None:
            gives_up_at = time.monotonic() + TRIAL_LEASE.total_seconds()
            while not trial.wait(_SLICE_S) and time.monotonic() < gives_up_at:
                # Lets a run that is told to stop do so.
                pause(_SLICE_S / 10)
            found = self._claim_turn(name)
        return found

    def end_trial(self, name: str) -> None:
        """The trial is over, whatever came of it: those who wait for it go on."""
        trial = self._trials.pop(name, None)
        if trial is not None:
            trial.set()

    def _claim_turn(self, name: str) -> Turn:
        now = self._clock.now()
        if (found := turn(self.read(name), now=now)) is not Turn.TRIAL:
            return found
        taken: list[Turn] = []

        def claim(health: ProviderHealth) -> ProviderHealth:
            taken.append(turn(health, now=now))
            if taken[-1] is not Turn.TRIAL:
                return health
            # Before others can see that there is a trial, so that they find it.
            self._trials[name] = threading.Event()
            return with_trial(health, now=now)

        with self._lock:
            self._change_shared(name, claim)
        return taken[-1]

    def wait_s(self, name: str) -> float:
        """Seconds until a provider whose turn is to wait may be asked again."""
        now = self._clock.now()
        return max(0.0, (asked_again_at(self.read(name), now=now) - now).total_seconds())

    def note_answer(self, name: str) -> None:
        """Write down that an answer came."""
        now = self._clock.now()
        self._change(name, lambda health: with_answer(health, now=now))

    def note_error(self, name: str, error: ProviderError) -> None:
        """Write down what a provider said instead of an answer."""
        now, message = self._clock.now(), str(error)[:_LONGEST_MESSAGE]
        seconds = error.retry_after_s if isinstance(error, TemporaryProviderError) else None
        retry_after = None if seconds is None else timedelta(seconds=seconds)
        self._change(
            name,
            lambda health: with_error(health, kind=error.kind, message=message, now=now, retry_after=retry_after),
        )

    def _change(self, name: str, change: Callable[[ProviderHealth], ProviderHealth]) -> None:
        """Write down what ``change`` makes of what is known, where that is news."""
        before = self.read(name)
        if not is_news(before, change(before)):
            return
        with self._lock:
            before, after = self._change_shared(name, change)
        if after.trips > before.trips:
            _log.warning(BREAKER_OPENED, provider=name, until=str(after.trial_at), error=after.last_error)
        elif before.trial_at is not None and after.trial_at is None:
            _log.warning(BREAKER_CLOSED, provider=name)

    def _change_shared(
        self, name: str, change: Callable[[ProviderHealth], ProviderHealth]
    ) -> tuple[ProviderHealth, ProviderHealth]:
        try:
            if self._is_shared:
                self._folder.mkdir(parents=True, exist_ok=True)
                with FileLock(self._folder / f"health-{name}.lock", timeout=_LOCK_TIMEOUT_S):
                    before = self.read(name)
                    after = change(before)
                    self._write(name, after)
                return before, after
        except Timeout:
            # Another process writes and is slow about it: what it writes counts when it is read.
            pass
        except OSError as error:
            _log.warning(HEALTH_NOT_SHARED, folder=str(self._folder), error=str(error))
            self._is_shared = False
        before = self.read(name)
        after = change(before)
        self._known[name] = (self._known.get(name, (None, before))[0], after)
        return before, after

    def _write(self, name: str, health: ProviderHealth) -> None:
        path = self._path(name)
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps(_to_json(health)), encoding="utf-8")
        draft.replace(path)
        found = path.stat()
        self._known[name] = ((found.st_mtime_ns, found.st_ino), health)

    def _path(self, name: str) -> Path:
        return self._folder / f"health-{name}.json"


def _to_json(health: ProviderHealth) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in asdict(health).items()}


def _from_json(told: dict[str, Any]) -> ProviderHealth:
    values: dict[str, Any] = {key: told.get(key, default) for key, default in asdict(ProviderHealth()).items()}
    for key in _INSTANTS:
        values[key] = None if values[key] is None else datetime.fromisoformat(values[key])
    return ProviderHealth(**values)
