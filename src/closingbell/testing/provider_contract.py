"""What every provider of prices promises, as tests: subclass ProviderContract and say what to ask.

::

    class TestAcme(ProviderContract):
        symbol, unknown_symbol = "AAPL", "NOPE"
        first, now = date(2012, 11, 26), datetime(2012, 11, 30, 21, 31, tzinfo=UTC)

        @pytest.fixture
        def provider(self):
            return AcmeProvider(...)  # in front of a server on loopback, or of recorded answers
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from closingbell.domain.corporate_actions import ActionKind
from closingbell.errors import NoDataError, ProviderError, SymbolUnknownError, TemporaryProviderError
from closingbell.providers.base import CALENDAR, DAILY, MINUTES, QUOTES, DailyHistory, PriceProvider


class ProviderContract:
    """Give ``symbol``, ``unknown_symbol``, ``first``, ``now`` and the fixture ``provider``.

    ``symbol`` has bars from ``first`` to ``now``. The fixture ``provider_that_is_down`` may be given too.
    """

    symbol: str
    unknown_symbol: str
    first: date
    now: datetime

    @pytest.fixture
    def provider(self) -> PriceProvider:
        """The provider that is tested."""
        raise NotImplementedError("give the fixture provider")

    @pytest.fixture
    def provider_that_is_down(self) -> PriceProvider:
        """The provider with a source that refuses connections."""
        pytest.skip("this provider has no source that can be down")

    def _daily(self, provider: PriceProvider, first: date | None = None) -> DailyHistory:
        _needs(provider, DAILY)
        return provider.fetch_daily(self.symbol, first=first or self.first, now=self.now)

    # --- What it is.

    def test_name_fits_a_column_and_a_file(self, provider: PriceProvider) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9_-]{0,15}", provider.name)

    def test_capabilities_are_known_ones(self, provider: PriceProvider) -> None:
        assert provider.capabilities
        assert provider.capabilities <= {DAILY, QUOTES, MINUTES, CALENDAR}

    def test_closing_twice_is_no_error(self, provider: PriceProvider) -> None:
        provider.close()
        provider.close()

    # --- Daily bars.

    def test_answer_says_whose_it_is_and_from_whom(self, provider: PriceProvider) -> None:
        history = self._daily(provider)

        assert (history.symbol, history.provider) == (self.symbol, provider.name)
        assert history.fetched_at == self.now

    def test_currency_is_the_major_one(self, provider: PriceProvider) -> None:
        history = self._daily(provider)

        assert re.fullmatch(r"[A-Z]{3}", history.currency)
        assert history.quote_unit

    def test_bars_ascend_and_lie_between_first_and_now(self, provider: PriceProvider) -> None:
        days = [bar.date for bar in self._daily(provider).bars]

        assert days
        assert all(before < after for before, after in pairwise(days))
        assert self.first <= days[0]
        # Somewhere it is tomorrow already.
        assert days[-1] <= (self.now + timedelta(hours=14)).date()

    def test_prices_are_whole_millionths_and_volumes_whole_shares(self, provider: PriceProvider) -> None:
        for bar in self._daily(provider).bars:
            assert all(type(value) is int for value in bar[1:]), bar
            assert 0 < bar.low <= bar.close <= bar.high, bar
            assert bar.volume >= 0, bar

    def test_bar_stays_the_same_when_the_range_begins_later(self, provider: PriceProvider) -> None:
        whole = self._daily(provider).bars

        assert self._daily(provider, whole[-1].date).bars == [whole[-1]]

    def test_corporate_actions_are_complete_and_ascend(self, provider: PriceProvider) -> None:
        actions = self._daily(provider).actions

        assert [action.ex_date for action in actions] == sorted(action.ex_date for action in actions)
        for action in actions:
            assert action.ex_date >= self.first, action
            if action.kind is ActionKind.SPLIT:
                assert action.ratio > 0, action
            else:
                assert isinstance(action.amount, Decimal), action
                assert re.fullmatch(r"[A-Z]{3}", action.currency), action

    def test_threads_get_the_same_answer(self, provider: PriceProvider) -> None:
        alone = self._daily(provider)

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _: self._daily(provider), range(8))) == [alone] * 8

    # --- Errors.

    def test_unknown_symbol_has_its_own_error(self, provider: PriceProvider) -> None:
        _needs(provider, DAILY)

        with pytest.raises(SymbolUnknownError):
            provider.fetch_daily(self.unknown_symbol, first=self.first, now=self.now)

    def test_range_without_bars_is_no_data_or_an_empty_answer(self, provider: PriceProvider) -> None:
        try:
            history = self._daily(provider, (self.now + timedelta(days=30)).date())
        except NoDataError:
            return
        assert history.bars == []

    def test_source_that_is_down_is_a_temporary_error(self, provider_that_is_down: PriceProvider) -> None:
        with pytest.raises(TemporaryProviderError) as caught:
            self._daily(provider_that_is_down)

        assert isinstance(caught.value, ProviderError)

    def test_requests_are_counted(self, provider: PriceProvider) -> None:
        before = provider.request_count

        self._daily(provider)

        assert isinstance(provider.request_count, int)
        assert provider.request_count >= before

    # --- Quotes and minutes, where it has them.

    def test_quotes_are_of_what_was_asked_for(self, provider: PriceProvider) -> None:
        _needs(provider, QUOTES)

        quotes = provider.fetch_quotes([self.symbol, self.unknown_symbol], now=self.now)

        assert list(quotes) == [self.symbol]
        quote = quotes[self.symbol]
        assert (quote.symbol, quote.provider) == (self.symbol, provider.name)
        assert type(quote.price) is int
        assert quote.traded_at.utcoffset() is not None

    def test_minutes_ascend_and_have_a_zone(self, provider: PriceProvider) -> None:
        _needs(provider, MINUTES)

        history = provider.fetch_minutes(self.symbol, since=self.now - timedelta(hours=2), now=self.now)

        assert (history.symbol, history.provider) == (self.symbol, provider.name)
        moments = [bar.at for bar in history.bars]
        assert all(moment.utcoffset() is not None for moment in moments)
        assert all(before < after for before, after in pairwise(moments))


def _needs(provider: PriceProvider, capability: str) -> None:
    if capability not in provider.capabilities:
        pytest.skip(f"{provider.name} has no {capability} prices")
