"""Retries with exponential backoff, on tenacity."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay

from closingbell.errors import TemporaryProviderError
from closingbell.utils.waiting import Sleep, pause

P = ParamSpec("P")
R = TypeVar("R")

RETRY_SCHEDULED = "retry.scheduled"
WORTH_ANOTHER_TRY: tuple[type[BaseException], ...] = (TemporaryProviderError, ConnectionError, TimeoutError)

_log = structlog.get_logger(__name__)


def retry_with_backoff(
    max_retries: int = 3,
    *,
    base_delay_s: float = 2.0,
    factor: float = 2.0,
    jitter: float = 0.0,
    max_total_s: float = 120.0,
    exceptions: tuple[type[BaseException], ...] = WORTH_ANOTHER_TRY,
    sleep: Sleep = pause,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function so that it is tried, then retried up to 3 times after exactly 2 s, 4 s and 8 s.

    ``jitter`` lengthens each wait by a random share of itself (0.2: by up to a fifth). A ``retry_after_s`` on the
    error replaces a shorter wait. A wait that would end later than ``max_total_s`` after the first try is not begun.
    Only ``exceptions`` are retried; the last error is raised as it is.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            retrying = Retrying(
                retry=retry_if_exception_type(exceptions),
                wait=lambda state: _wait_s(state, base_delay_s, factor, jitter),
                stop=stop_after_attempt(max_retries + 1) | stop_before_delay(max_total_s),
                sleep=sleep,
                before_sleep=_log_retry,
                reraise=True,
            )
            return retrying(function, *args, **kwargs)

        return wrapper

    return decorate


def retry_api_call(function: Callable[..., R], *args: Any, max_retries: int = 3, **kwargs: Any) -> R:
    """Call ``function(*args, **kwargs)`` with the waits of ``retry_with_backoff``."""
    return retry_with_backoff(max_retries)(function)(*args, **kwargs)


def _wait_s(state: RetryCallState, base_delay_s: float, factor: float, jitter: float) -> float:
    """Seconds to wait after the attempt that just failed."""
    wait_s = base_delay_s * factor ** (state.attempt_number - 1)
    wait_s *= 1 + jitter * random.random()  # noqa: S311  (spreads load; nothing secret)
    asked_for = getattr(_error_of(state), "retry_after_s", None)
    return max(wait_s, asked_for or 0.0)


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _log_retry(state: RetryCallState) -> None:
    _log.warning(
        RETRY_SCHEDULED,
        call=getattr(state.fn, "__qualname__", repr(state.fn)),
        args=[str(value) for value in state.args if isinstance(value, str | int)],
        attempt=state.attempt_number,
        wait_s=round(state.next_action.sleep, 3) if state.next_action else 0,
        error=str(_error_of(state)),
    )
