"""Our reading of Yahoo's answers is the library's, and the recorded file's own numbers come out of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from math import prod
from pathlib import Path
from typing import Any

import pytest

from closingbell.domain.corporate_actions import ActionKind
from closingbell.providers.base import DailyHistory
from closingbell.providers.yahoo import YahooProvider
from closingbell.replay import ReplayServer
from tests.app_fixtures import SYMBOLS, new_york, recorded_rows

FIRST = date(2000, 3, 1)
NOW = "2013-03-02 12:00"

# Run by an unmodified yfinance in a process of its own.
SCRIPT = """
import json, sys, warnings
import yfinance as yf
warnings.filterwarnings("ignore")
yf.set_tz_cache_location(sys.argv[1])
yf.config.debug.hide_exceptions = False
names = ["Open", "High", "Low", "Close", "Volume", "Dividends", "Stock Splits"]
found = {}
for symbol in sys.argv[2:]:
    frame = yf.Ticker(symbol).history(start="2000-03-01", auto_adjust=False, actions=True)
    found[symbol] = {str(at.date()): row for at, row in zip(frame.index, frame[names].values.tolist())}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory, market: Any
) -> tuple[dict[str, dict[str, list[float]]], dict[str, DailyHistory]]:
    """What the library and what our provider found, all five companies over thirteen years."""
    from closingbell.providers.budget import RequestBudget
    from closingbell.providers.yahoo_session import YahooSession
    from closingbell.utils.clock import FixedClock

    folder = tmp_path_factory.mktemp("conformance")
    with ReplayServer(market, clock=FixedClock(new_york(NOW))) as server:
        theirs = _library(server, folder)
        session = YahooSession(
            base_url=server.base_url,
            timeout_s=30,
            concurrency=2,
            budget=RequestBudget(0, folder=folder),
            cache_dir=folder / "ours",
        )
        provider = YahooProvider(session)
        ours = {symbol: provider.fetch_daily(symbol, first=FIRST, now=new_york(NOW)) for symbol in SYMBOLS}
        provider.close()
    return theirs, ours


def _library(server: ReplayServer, folder: Path) -> dict[str, dict[str, list[float]]]:
    authority = server.write_ca(folder / "ca.pem")
    surroundings = {
        **os.environ,
        "TZ": "UTC",
        "HTTPS_PROXY": server.base_url,
        "HTTP_PROXY": server.base_url,
        "REQUESTS_CA_BUNDLE": str(authority),
        "CURL_CA_BUNDLE": str(authority),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder / "theirs"), *SYMBOLS],
        check=False,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, list[float]]] = json.loads(done.stdout.splitlines()[-1])
    return found


Both = tuple[dict[str, dict[str, list[float]]], dict[str, DailyHistory]]


@pytest.mark.parametrize(
    ("symbol", "count"), [("AAPL", 3270), ("FB", 196), ("GOOG", 2148), ("IBM", 3270), ("MSFT", 3270)]
)
def test_library_and_we_find_the_same_sessions(both: Both, symbol: str, count: int) -> None:
    theirs, ours = both
    assert [str(bar.date) for bar in ours[symbol].bars] == list(theirs[symbol])
    assert len(theirs[symbol]) == count


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_our_prices_restated_by_splits_are_the_librarys(both: Both, symbol: str) -> None:
    theirs, ours = both
    splits = [(a.ex_date, float(a.ratio)) for a in ours[symbol].actions if a.kind is ActionKind.SPLIT]
    worst = 0.0
    for bar in ours[symbol].bars:
        factor = prod(ratio for ex_date, ratio in splits if ex_date > bar.date)
        served = theirs[symbol][str(bar.date)]
        for our_price, their_price in zip(bar[1:5], served[:4], strict=True):
            worst = max(worst, abs(our_price / 1_000_000 / factor - their_price) / their_price)
        assert bar.volume * factor == served[4]
    # Half a unit in the last place of a float32.
    assert worst <= 6e-8


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_dividends_and_splits_are_the_librarys(both: Both, symbol: str) -> None:
    theirs, ours = both
    dividends = {str(a.ex_date): float(a.printed) for a in ours[symbol].actions if a.kind is ActionKind.DIVIDEND}
    splits = {str(a.ex_date): float(a.ratio) for a in ours[symbol].actions if a.kind is ActionKind.SPLIT}
    assert dividends == {day: row[5] for day, row in theirs[symbol].items() if row[5]}
    assert splits == {day: row[6] for day, row in theirs[symbol].items() if row[6]}


def test_number_of_events_is_the_recorded_one(both: Both) -> None:
    _, ours = both
    kinds = [action.kind for history in ours.values() for action in history.actions]
    assert (kinds.count(ActionKind.DIVIDEND), kinds.count(ActionKind.SPLIT)) == (92, 3)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_our_bars_are_the_recorded_files_as_traded(both: Both, symbol: str) -> None:
    _, ours = both
    found = [(str(bar.date), *bar[1:]) for bar in ours[symbol].bars]
    assert found == [
        (
            row.date,
            _micros(row.open),
            _micros(row.high),
            _micros(row.low),
            _micros(row.close),
            int(row.volume),
        )
        for row in recorded_rows(symbol)
    ]


def _micros(written: str) -> int:
    return int(Decimal(written) * 1_000_000)


def test_bars_around_a_split_are_in_the_shares_of_their_day(both: Both) -> None:
    _, ours = both
    around = [bar for bar in ours["AAPL"].bars if date(2005, 2, 24) <= bar.date <= date(2005, 3, 1)]
    assert [tuple(bar) for bar in around] == [
        (date(2005, 2, 24), 88_480_000, 89_310_000, 87_730_000, 88_930_000, 27_125_500),
        (date(2005, 2, 25), 89_620_000, 89_910_000, 88_190_000, 88_990_000, 16_348_400),
        (date(2005, 2, 28), 44_680_000, 45_140_000, 43_960_000, 44_860_000, 11_635_900),
        (date(2005, 3, 1), 44_990_000, 45_110_000, 44_160_000, 44_500_000, 16_721_000),
    ]


def test_range_that_starts_later_reads_the_same_bars(
    provide: Callable[..., YahooProvider], serve: Callable[..., ReplayServer], both: Both
) -> None:
    _, ours = both
    later = provide(serve(NOW)).fetch_daily("AAPL", first=date(2005, 2, 25), now=new_york(NOW))
    assert later.bars == [bar for bar in ours["AAPL"].bars if bar.date >= date(2005, 2, 25)]
    assert later.bars[0].date == date(2005, 2, 25)
