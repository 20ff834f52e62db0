"""The fixtures of the provider tests: a replayed market, and Yahoo's provider in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from closingbell.providers.budget import RequestBudget
from closingbell.providers.yahoo import YahooProvider
from closingbell.providers.yahoo_session import YahooSession
from closingbell.replay import RecordedMarket, ReplayServer
from closingbell.utils.clock import FixedClock
from tests.app_fixtures import houses, market, new_york, no_waits  # noqa: F401


@pytest.fixture
def serve(market: RecordedMarket) -> Iterator[Callable[..., ReplayServer]]:  # noqa: F811
    """Starts replayed markets that end with the test."""
    with ExitStack() as stack:

        def start(now: str = "2012-11-30 16:31", **options: Any) -> ReplayServer:
            server = ReplayServer(options.pop("market", market), clock=FixedClock(new_york(now)), **options)
            return stack.enter_context(server)

        yield start


@pytest.fixture
def server(serve: Callable[..., ReplayServer]) -> ReplayServer:
    """The recorded market on Friday 2012-11-30 at 16:31 in New York."""
    return serve()


@pytest.fixture
def provide(tmp_path: Path) -> Iterator[Callable[..., YahooProvider]]:
    """Opens providers on a server; those of one ``folder`` share their budget."""
    with ExitStack() as stack:

        def open_provider(
            server: ReplayServer,
            *,
            timeout_s: float = 10,
            concurrency: int = 4,
            folder: str = "shared",
            budget: RequestBudget | None = None,
        ) -> YahooProvider:
            session = YahooSession(
                base_url=server.base_url,
                timeout_s=timeout_s,
                concurrency=concurrency,
                budget=budget or RequestBudget(0, folder=tmp_path / folder),
                cache_dir=tmp_path / folder / "yfinance",
            )
            provider = YahooProvider(session)
            stack.callback(provider.close)
            return provider

        yield open_provider


@pytest.fixture
def provider(provide: Callable[..., YahooProvider], server: ReplayServer) -> YahooProvider:
    """Yahoo's provider in front of ``server``."""
    return provide(server)
