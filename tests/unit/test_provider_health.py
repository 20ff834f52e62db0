from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from closingbell.domain.provider_health import (
    ProviderHealth,
    ProviderState,
    ProviderView,
    Turn,
    is_news,
    state_of,
    turn,
    with_answer,
    with_error,
    with_trial,
)

T0 = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)
FRESH = ProviderHealth()


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def down(health: ProviderHealth, times: int = 1, *, now: datetime = T0, kind: str = "source_down") -> ProviderHealth:
    for _ in range(times):
        health = with_error(health, kind=kind, message="Yahoo is down (HTTP 500)", now=now)
    return health


@pytest.mark.parametrize("kind", ["temporary", "source_down", "deadline_exceeded"])
def test_fifth_temporary_failure_in_a_row_opens_the_breaker(kind: str) -> None:
    four = down(FRESH, 4, kind=kind)
    five = down(four, kind=kind)

    assert turn(four, now=T0) is Turn.ASK
    assert turn(five, now=T0) is Turn.WAIT
    assert state_of(five, now=T0) == (ProviderState.DOWN, after(30))
    assert five.last_error == "Yahoo is down (HTTP 500)"


@pytest.mark.parametrize("kind", ["symbol_unknown", "no_data", "permanent"])
def test_word_about_a_symbol_is_an_answer(kind: str) -> None:
    health = down(with_error(down(FRESH, 4), kind=kind, message="Yahoo does not know this symbol", now=T0))

    assert (health.failures, turn(health, now=T0)) == (1, Turn.ASK)


def test_rubbish_neither_counts_nor_clears() -> None:
    health = with_error(down(FRESH, 4), kind="bad_answer", message="not JSON", now=T0)

    assert (health.failures, turn(health, now=T0)) == (4, Turn.ASK)
    assert turn(down(health), now=T0) is Turn.WAIT


def test_one_trial_after_the_wait_and_nobody_beside_it() -> None:
    health = down(FRESH, 5)

    assert turn(health, now=after(29)) is Turn.WAIT
    assert turn(health, now=after(30)) is Turn.TRIAL
    under_trial = with_trial(health, now=after(30))
    assert turn(under_trial, now=after(31)) is Turn.WAIT
    # Whoever tried has vanished.
    assert turn(under_trial, now=after(91)) is Turn.TRIAL


def test_trial_that_succeeds_closes_the_breaker() -> None:
    health = with_answer(with_trial(down(FRESH, 5), now=after(30)), now=after(31))

    assert turn(health, now=after(31)) is Turn.ASK
    assert state_of(health, now=after(31)) == (ProviderState.UP, None)
    assert (health.failures, health.trips, health.last_success_at) == (0, 0, after(31))
    assert health.last_error == "Yahoo is down (HTTP 500)"


def test_waits_grow_with_every_trial_that_fails() -> None:
    health, now, waits = down(FRESH, 5), T0, []
    for _ in range(7):
        assert health.trial_at is not None
        waits.append((health.trial_at - now).total_seconds())
        now = health.trial_at
        health = down(with_trial(health, now=now), now=now)

    assert waits == [30, 60, 300, 600, 1800, 1800, 1800]


def test_rubbish_in_answer_to_the_trial_opens_it_again() -> None:
    tried = with_trial(down(FRESH, 5), now=after(30))
    health = with_error(tried, kind="bad_answer", message="a page", now=after(30))

    assert state_of(health, now=after(31)) == (ProviderState.DOWN, after(90))


def test_failures_that_were_under_way_do_not_lengthen_the_wait() -> None:
    health = down(down(FRESH, 5), 8, now=after(1))

    assert (health.trips, health.trial_at) == (1, after(30))


def test_rate_limit_is_a_state_of_its_own_and_counts_as_no_failure() -> None:
    health = with_error(down(FRESH, 4), kind="rate_limited", message="fewer", now=T0, retry_after=timedelta(minutes=20))

    assert state_of(health, now=T0) == (ProviderState.RATE_LIMITED, after(1200))
    assert state_of(health, now=after(1200)) == (ProviderState.UP, None)
    assert (health.failures, turn(health, now=T0)) == (0, Turn.ASK)
    # An answer to a request that was sent before.
    assert state_of(with_answer(health, now=after(1)), now=after(2)) == (ProviderState.RATE_LIMITED, after(1200))


def test_rate_limit_that_is_told_again_keeps_its_first_word_and_its_latest_end() -> None:
    first = with_error(FRESH, kind="rate_limited", message="fewer", now=T0, retry_after=timedelta(seconds=600))
    again = with_error(
        first, kind="rate_limited", message="again in 590 s", now=after(9), retry_after=timedelta(seconds=590)
    )
    longer = with_error(first, kind="rate_limited", message="fewer still", now=after(9), retry_after=timedelta(hours=1))

    assert again == first
    assert (longer.last_error, longer.limited_until) == ("fewer", after(3609))


def test_only_what_says_something_new_is_written_down() -> None:
    health = with_answer(FRESH, now=T0)

    assert is_news(FRESH, health)
    assert not is_news(health, with_answer(health, now=after(29)))
    assert is_news(health, with_answer(health, now=after(31)))
    assert is_news(health, down(health, now=after(1)))
    limited = replace(health, limited_until=after(600))
    assert not is_news(limited, replace(limited, limited_until=after(601)))
    assert is_news(limited, replace(limited, limited_until=after(700)))


@pytest.mark.parametrize(
    ("state", "until", "reason", "words"),
    [
        (ProviderState.UP, None, None, "up"),
        (ProviderState.RATE_LIMITED, T0, None, "rate limited, again at 21:31"),
        (ProviderState.DOWN, T0, None, "down, next trial at 21:31"),
        (ProviderState.NOT_CONFIGURED, None, "set TIINGO_API_KEY", "not configured: set TIINGO_API_KEY"),
        (ProviderState.NOT_IN_USE, None, None, "not in use"),
    ],
)
def test_state_in_words(state: ProviderState, until: datetime | None, reason: str | None, words: str) -> None:
    view = ProviderView(1, "yahoo", ("daily",), state, until=until, reason=reason)

    assert view.in_words(lambda moment: moment.strftime("%H:%M")) == words
