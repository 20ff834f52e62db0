"""Providers in order: who is asked, whose answer counts, and whose word."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from closingbell.errors import (
    BadAnswerError,
    DeadlineExceededError,
    NoDataError,
    ProviderError,
    RateLimitedError,
    SettingsError,
    SourceDownError,
    SymbolUnknownError,
)
from closingbell.providers.base import DAILY, MINUTES, QUOTES, DailyHistory, PriceProvider
from closingbell.providers.chain import ProviderChain, Spelling, as_it_is, second_opinion
from closingbell.providers.health import HealthBook
from closingbell.utils.clock import FixedClock
from tests.providers.stubs import DAY, NOW, StubProvider

Chain = Callable[..., ProviderChain]


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def chain(tmp_path: Path, clock: FixedClock) -> Chain:
    def make(*links: PriceProvider, spelling: Spelling = as_it_is) -> ProviderChain:
        return ProviderChain(links, health=HealthBook(tmp_path, clock=clock), spelling=spelling)

    return make


def fetch(provider: PriceProvider, symbol: str = "AAPL") -> DailyHistory:
    return provider.fetch_daily(symbol, first=DAY, now=NOW)


# --- Who answers.


def test_first_provider_that_answers_gives_the_whole_answer(chain: Chain) -> None:
    first, second = StubProvider("yahoo", closes={"AAPL": 585}), StubProvider("tiingo", closes={"AAPL": 586})

    history = fetch(chain(first, second))

    assert (history.provider, history.bars[0].close) == ("yahoo", 585)
    assert (first.asked, second.asked) == (["AAPL"], [])


@pytest.mark.parametrize(
    "error",
    [
        SourceDownError("down"),
        DeadlineExceededError("late"),
        RateLimitedError("fewer", retry_after_s=600),
        SymbolUnknownError("unknown"),
        NoDataError("nothing"),
        BadAnswerError("rubbish"),
    ],
)
def test_every_error_of_a_provider_goes_on_to_the_next(chain: Chain, error: ProviderError) -> None:
    second = StubProvider("tiingo", closes={"AAPL": 586})

    history = fetch(chain(StubProvider("yahoo", error=error), second))

    assert (history.provider, history.symbol, history.bars[0].close) == ("tiingo", "AAPL", 586)


def test_bug_in_a_provider_of_ours_is_no_answer_to_pass_over(chain: Chain) -> None:
    with pytest.raises(ZeroDivisionError):
        fetch(chain(StubProvider("yahoo", error=ZeroDivisionError()), StubProvider("tiingo", closes={"AAPL": 586})))


def test_provider_without_the_capability_is_not_asked(chain: Chain) -> None:
    files = StubProvider("files", closes={"AAPL": 1})
    yahoo = StubProvider("yahoo", capabilities=(DAILY, QUOTES, MINUTES))
    both = chain(files, yahoo)

    history = both.fetch_minutes("AAPL", since=NOW, now=NOW)

    assert (history.provider, files.asked) == ("yahoo", [])
    assert both.capabilities == {DAILY, QUOTES, MINUTES}
    with pytest.raises(SettingsError, match="PRICE_PROVIDERS: none of files has minutes prices"):
        chain(files).fetch_minutes("AAPL", since=NOW, now=NOW)


def test_chain_of_none_is_refused(chain: Chain) -> None:
    with pytest.raises(SettingsError, match="PRICE_PROVIDERS"):
        chain()


# --- Whose word counts when nobody answers.


def test_single_provider_keeps_its_own_error(chain: Chain) -> None:
    error = SourceDownError("Yahoo is down (HTTP 500)")

    with pytest.raises(SourceDownError) as caught:
        fetch(chain(StubProvider("yahoo", error=error)))

    assert caught.value is error


def test_unknown_symbol_is_not_hidden_by_trouble_further_down(chain: Chain) -> None:
    yahoo = StubProvider("yahoo", error=SymbolUnknownError("Yahoo does not know this symbol"))
    tiingo = StubProvider("tiingo", error=SourceDownError("Tiingo is down (HTTP 500)"))

    with pytest.raises(SymbolUnknownError) as caught:
        fetch(chain(yahoo, tiingo))

    assert str(caught.value) == "Yahoo does not know this symbol; tiingo: Tiingo is down (HTTP 500)"
    # The other one may know it, so that nobody takes it for gone.
    assert caught.value.kind == "symbol_doubted"


def test_symbol_that_nobody_knows_is_unknown(chain: Chain) -> None:
    yahoo = StubProvider("yahoo", error=SymbolUnknownError("Yahoo does not know this symbol"))
    tiingo = StubProvider("tiingo", error=SymbolUnknownError("Tiingo does not know it"))

    with pytest.raises(SymbolUnknownError) as caught:
        fetch(chain(yahoo, tiingo))

    assert str(caught.value) == "Yahoo does not know this symbol; tiingo: Tiingo does not know it"
    assert caught.value.kind == "symbol_unknown"


def test_trouble_at_the_first_is_not_taken_for_an_unknown_symbol(chain: Chain) -> None:
    yahoo = StubProvider("yahoo", error=RateLimitedError("fewer, please", retry_after_s=7))
    tiingo = StubProvider("tiingo", error=SymbolUnknownError("Tiingo has the United States only"))

    with pytest.raises(RateLimitedError) as caught:
        fetch(chain(yahoo, tiingo), "VOD.L")

    assert str(caught.value) == "fewer, please; tiingo: Tiingo has the United States only"
    assert caught.value.retry_after_s == 7


def test_word_of_a_later_provider_holds_for_a_day(chain: Chain) -> None:
    yahoo = StubProvider("yahoo", error=SourceDownError("down"))
    tiingo = StubProvider("tiingo", unknown=SymbolUnknownError("not in the United States"))
    both = chain(yahoo, tiingo)

    for later in (timedelta(), timedelta(hours=23), timedelta(hours=24)):
        with pytest.raises(SourceDownError, match="not in the United States"):
            both.fetch_daily("VOD.L", first=DAY, now=NOW + later)

    assert yahoo.asked == ["VOD.L"] * 3
    assert tiingo.asked == ["VOD.L"] * 2


def test_first_provider_is_asked_again_for_what_it_did_not_know(chain: Chain) -> None:
    yahoo = StubProvider("yahoo", unknown=SymbolUnknownError("unknown"))
    both = chain(yahoo, StubProvider("tiingo", closes={"NEW": 5}))
    assert fetch(both, "NEW").provider == "tiingo"

    yahoo.closes["NEW"] = 4

    assert fetch(both, "NEW").provider == "yahoo"


# --- Quotes.


def test_quotes_that_one_does_not_know_are_asked_of_the_next(chain: Chain) -> None:
    yahoo = StubProvider("yahoo", closes={"AAPL": 585, "IBM": 190}, capabilities=(QUOTES,))
    other = StubProvider("other", closes={"AAPL": 1, "MSFT": 27}, capabilities=(QUOTES,))
    both = chain(yahoo, other)

    quotes = both.fetch_quotes(["AAPL", "IBM", "MSFT", "NOPE"], now=NOW)

    assert {symbol: (quote.provider, quote.price) for symbol, quote in quotes.items()} == {
        "AAPL": ("yahoo", 585),
        "IBM": ("yahoo", 190),
        "MSFT": ("other", 27),
    }
    assert other.asked == ["MSFT,NOPE"]
    assert both.request_count == 2


def test_quotes_of_one_are_kept_when_the_next_fails(chain: Chain) -> None:
    yahoo = StubProvider("yahoo", closes={"AAPL": 585}, capabilities=(QUOTES,))
    other = StubProvider("other", error=SourceDownError("down"), capabilities=(QUOTES,))

    assert list(chain(yahoo, other).fetch_quotes(["AAPL", "MSFT"], now=NOW)) == ["AAPL"]


def test_quotes_nobody_gave_raise_the_first_ones_error(chain: Chain) -> None:
    yahoo = StubProvider("yahoo", error=RateLimitedError("fewer"), capabilities=(QUOTES,))
    other = StubProvider("other", error=SourceDownError("down"), capabilities=(QUOTES,))

    with pytest.raises(RateLimitedError, match="fewer; other: down"):
        chain(yahoo, other).fetch_quotes(["AAPL"], now=NOW)


# --- Symbols.


def test_each_provider_is_asked_by_its_own_name_of_the_company(chain: Chain) -> None:
    def spelled(provider: str, symbol: str, on: date) -> str:
        return {("tiingo", "META"): "FB"}.get((provider, symbol), symbol) if on < date(2022, 6, 9) else symbol

    yahoo = StubProvider("yahoo", error=SourceDownError("down"), capabilities=(DAILY, QUOTES))
    tiingo = StubProvider("tiingo", closes={"FB": 28}, capabilities=(DAILY, QUOTES))
    both = chain(yahoo, tiingo, spelling=spelled)

    assert fetch(both, "META").symbol == "META"
    assert both.fetch_quotes(["META"], now=NOW)["META"].symbol == "META"
    assert (yahoo.asked, tiingo.asked) == (["META", "META"], ["FB", "FB"])


# --- The breaker.


def test_provider_that_is_down_is_left_alone_until_its_trial(chain: Chain, clock: FixedClock) -> None:
    yahoo = StubProvider("yahoo", closes={"AAPL": 585}, error=SourceDownError("Yahoo is down (HTTP 500)"))
    both = chain(yahoo, StubProvider("tiingo", closes={"AAPL": 586}))

    assert [fetch(both).provider for _ in range(20)] == ["tiingo"] * 20
    assert len(yahoo.asked) == 5

    clock.advance(timedelta(seconds=30))
    assert [fetch(both).provider for _ in range(20)] == ["tiingo"] * 20
    assert len(yahoo.asked) == 6

    yahoo.error = None
    clock.advance(timedelta(seconds=60))
    assert [fetch(both).provider for _ in range(3)] == ["yahoo"] * 3


def test_provider_alone_that_is_down_says_when_it_is_tried(chain: Chain, clock: FixedClock) -> None:
    alone = chain(StubProvider("yahoo", error=SourceDownError("Yahoo is down (HTTP 500)")))
    for _ in range(5):
        with pytest.raises(SourceDownError, match="HTTP 500"):
            fetch(alone)
    clock.advance(timedelta(seconds=10))

    with pytest.raises(SourceDownError) as caught:
        fetch(alone)

    assert str(caught.value) == "Yahoo is down (HTTP 500), and is not asked before its next trial"
    assert caught.value.retry_after_s == 20


def test_unknown_symbols_never_open_the_breaker(chain: Chain) -> None:
    yahoo = StubProvider("yahoo", unknown=SymbolUnknownError("Yahoo does not know this symbol"))
    alone = chain(yahoo)

    for _ in range(50):
        with pytest.raises(SymbolUnknownError):
            fetch(alone, "NOPE")

    assert len(yahoo.asked) == 50


# --- Parts of a chain.


def test_second_opinion_is_anothers(chain: Chain) -> None:
    yahoo, tiingo = StubProvider("yahoo", closes={"AAPL": 585}), StubProvider("tiingo", closes={"AAPL": 586})
    both = chain(yahoo, StubProvider("fast", capabilities=(QUOTES,)), tiingo)

    after_yahoo, after_tiingo = second_opinion(both, apart_from="yahoo"), second_opinion(both, apart_from="tiingo")

    assert after_yahoo is not None
    assert after_tiingo is not None
    assert (fetch(after_yahoo).provider, fetch(after_tiingo).provider) == ("tiingo", "yahoo")
    assert second_opinion(chain(yahoo), apart_from="yahoo") is None
    assert second_opinion(chain(yahoo, StubProvider("fast", capabilities=(QUOTES,))), apart_from="yahoo") is None
    assert second_opinion(yahoo, apart_from="yahoo") is None


def test_closing_a_chain_closes_all(chain: Chain) -> None:
    yahoo, tiingo = StubProvider("yahoo", closes={"AAPL": 585}), StubProvider("tiingo", closes={"AAPL": 586})
    both = chain(yahoo, tiingo)

    both.close()

    assert (yahoo.is_closed, tiingo.is_closed) == (True, True)
