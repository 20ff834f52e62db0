from __future__ import annotations

import pytest

from closingbell.errors import RateLimitedError, SourceDownError, SymbolUnknownError
from closingbell.utils.retry_helper import retry_api_call, retry_with_backoff
from closingbell.utils.waiting import waits_disabled


class Flaky:
    """Fails with each of ``errors`` in turn, then answers."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.call_count = 0

    def __call__(self, symbol: str = "AAPL") -> str:
        self.call_count += 1
        if self.errors:
            raise self.errors.pop(0)
        return f"bars of {symbol}"


def test_waits_are_exactly_two_four_and_eight_seconds() -> None:
    waits: list[float] = []
    flaky = Flaky(*[SourceDownError("down")] * 3)
    assert retry_with_backoff(sleep=waits.append)(flaky)("MSFT") == "bars of MSFT"
    assert waits == [2.0, 4.0, 8.0]


def test_the_last_error_is_raised_as_it_is_after_three_retries() -> None:
    flaky = Flaky(*[SourceDownError(f"down {n}") for n in range(9)])
    with pytest.raises(SourceDownError, match="down 3"):
        retry_with_backoff(sleep=lambda _: None)(flaky)()
    assert flaky.call_count == 4


def test_an_error_that_another_try_cannot_cure_is_not_retried() -> None:
    flaky = Flaky(SymbolUnknownError("NOPE"))
    with pytest.raises(SymbolUnknownError):
        retry_with_backoff(sleep=lambda _: None)(flaky)()
    assert flaky.call_count == 1


def test_the_exceptions_to_catch_are_configurable() -> None:
    flaky = Flaky(KeyError("x"))
    assert retry_with_backoff(exceptions=(KeyError,), sleep=lambda _: None)(flaky)() == "bars of AAPL"


def test_a_provider_that_names_a_time_is_given_that_time() -> None:
    waits: list[float] = []
    flaky = Flaky(RateLimitedError("slow down", retry_after_s=17), SourceDownError("down"))
    retry_with_backoff(sleep=waits.append)(flaky)()
    assert waits == [17, 4.0]


def test_a_wait_beyond_the_total_bound_is_not_begun() -> None:
    waits: list[float] = []
    flaky = Flaky(RateLimitedError("slow down", retry_after_s=600))
    with pytest.raises(RateLimitedError):
        retry_with_backoff(sleep=waits.append)(flaky)()
    assert waits == []


def test_jitter_only_lengthens_a_wait() -> None:
    waits: list[float] = []
    flaky = Flaky(*[SourceDownError("down")] * 3)
    retry_with_backoff(jitter=0.2, sleep=waits.append)(flaky)()
    assert all(base <= wait <= base * 1.2 for base, wait in zip((2, 4, 8), waits, strict=True))


def test_each_retry_is_logged_with_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    retry_with_backoff(sleep=lambda _: None)(Flaky(SourceDownError("HTTP 503")))("IBM")
    logged = capsys.readouterr()
    assert "retry.scheduled" in logged.out + logged.err
    assert "HTTP 503" in logged.out + logged.err
    assert "IBM" in logged.out + logged.err


def test_retry_api_call_retries_a_direct_call_and_waits_can_be_switched_off() -> None:
    flaky = Flaky(*[ConnectionError("reset")] * 3)
    with waits_disabled():
        assert retry_api_call(flaky, "GOOG") == "bars of GOOG"
    assert flaky.call_count == 4
