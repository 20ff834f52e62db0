"""The right to go on with a run: renewed by a thread of its own, so that a busy job does not lose it."""

from __future__ import annotations

import threading
import time
from typing import Self

import structlog
from sqlalchemy.exc import DBAPIError

from closingbell.errors import RunCancelledError, RunInterruptedError, RunLostError, RunStalledError
from closingbell.jobs.context import JobContext
from closingbell.stores import job_log

LEASE_NOT_RENEWED = "lease.not_renewed"
STALL_GUARD = "stall guard"

# How often a run asks the database whether it is to stop.
_POLL_S = 1.0

_log = structlog.get_logger(__name__)


class Lease:
    """A run's lease: renewed while the ``with`` block lasts; ``check()`` raises when the run is to stop."""

    def __init__(self, context: JobContext, run_id: int, owner: str) -> None:
        self._context = context
        self._run_id = run_id
        self._owner = owner
        self._is_lost = False
        self._ended = threading.Event()
        self._asking = threading.Lock()
        self._asked_at = time.monotonic()

    def __enter__(self) -> Self:
        threading.Thread(target=self._keep, name=f"lease of run {self._run_id}", daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()

    def check(self) -> None:
        """Return, or raise why the run is to stop; cheap enough to be asked between any two steps."""
        if self._context.stopping.is_set():
            raise RunInterruptedError("the process that carried out this run was shut down")
        if self._is_lost:
            raise RunLostError
        with self._asking:
            if time.monotonic() - self._asked_at < _POLL_S:
                return
            self._asked_at = time.monotonic()
        self._ask()

    def _ask(self) -> None:
        try:
            with self._context.database.read() as connection:
                is_ours, cancelled_by = job_log.load_orders(connection, self._run_id, self._owner)
        except DBAPIError:
            # Whether to stop can wait until the database is back.
            return
        if not is_ours:
            raise RunLostError
        if cancelled_by == STALL_GUARD:
            raise RunStalledError("the run made no progress for too long")
        if cancelled_by is not None:
            raise RunCancelledError(f"cancelled by {cancelled_by}")

    def _keep(self) -> None:
        while not self._ended.wait(job_log.HEARTBEAT.total_seconds()):
            try:
                ours = self._context.database.write_unit(
                    lambda connection: job_log.renew_lease(
                        connection, self._run_id, self._owner, wall=self._context.wall.now()
                    )
                )
                self._is_lost = not ours
            except DBAPIError as error:
                # The lease runs on until it ends; the next heartbeat tries again.
                _log.warning(LEASE_NOT_RENEWED, run_id=self._run_id, error=type(error).__name__)
