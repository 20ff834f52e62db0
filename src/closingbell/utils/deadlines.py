"""Calls that end at their deadline whatever the called library does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any, TypeVar

from closingbell.errors import DeadlineExceededError

R = TypeVar("R")


class _Call:
    """One call handed to a worker thread."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        # Threads are older than the call: what the caller logs under holds for what they log for it.
        self.context = copy_context()
        self.finished = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None

    def carry_out(self) -> None:
        try:
            self.value = self.context.run(self.function)
        except BaseException as error:  # handed to the caller, who raises it
            self.error = error
        self.finished.set()


class DeadlinePool:
    """At most ``size`` calls at once, each in a thread of its own pool; a hung one is left behind and replaced.

    Threads are kept between calls, because clients keep their connections by thread.
    """

    def __init__(self, size: int, *, name: str) -> None:
        self._slots = threading.BoundedSemaphore(size)
        self._idle: list[SimpleQueue[_Call | None]] = []
        self._name = name

    def call(self, function: Callable[[], R], *, timeout_s: float) -> R:
        """The value of ``function()``; raise DeadlineExceededError when it takes longer than ``timeout_s``.

        Waiting for a free slot does not count.
        """
        with self._slots:
            inbox = self._idle.pop() if self._idle else self._start_worker()
            call = _Call(function)
            inbox.put(call)
            if not call.finished.wait(timeout_s):
                # The worker ends by itself if it ever comes back: nothing puts it among the idle again.
                inbox.put(None)
                raise DeadlineExceededError(f"{self._name}: no answer within {timeout_s:g} s")
            self._idle.append(inbox)
        if call.error is not None:
            raise call.error
        value: R = call.value
        return value

    def close(self) -> None:
        """Let the idle threads end."""
        while self._idle:
            self._idle.pop().put(None)

    def _start_worker(self) -> SimpleQueue[_Call | None]:
        inbox: SimpleQueue[_Call | None] = SimpleQueue()
        threading.Thread(target=_work, args=(inbox,), name=self._name, daemon=True).start()
        return inbox


def _work(inbox: SimpleQueue[_Call | None]) -> None:
    while (call := inbox.get()) is not None:
        call.carry_out()
