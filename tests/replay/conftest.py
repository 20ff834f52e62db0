"""A running replay, and a plain client that speaks to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from closingbell.replay.recorded import RecordedMarket
from closingbell.replay.server import ReplayServer
from closingbell.utils.clock import FixedClock

from .support import Client

AFTER_THE_RECORD_OF_NOVEMBER = "2012-11-30T16:31-05:00"


@pytest.fixture(scope="session")
def market() -> RecordedMarket:
    return RecordedMarket.load()


@pytest.fixture
def serve(market: RecordedMarket) -> Iterator[Callable[..., Client]]:
    """Starts replays that end with the test."""
    running: list[ReplayServer] = []

    def start(now: str = AFTER_THE_RECORD_OF_NOVEMBER, **options: Any) -> Client:
        server = ReplayServer(options.pop("market", market), clock=FixedClock(datetime.fromisoformat(now)), **options)
        server.start()
        running.append(server)
        return Client(server)

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def client(serve: Callable[..., Client]) -> Client:
    return serve()
