"""The unmodified yfinance, in a process of its own, through CONNECT and TLS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .support import Client

SCRIPT = """
import json, sys, warnings
import yfinance as yf
warnings.filterwarnings("ignore")
yf.set_tz_cache_location(sys.argv[1])

def rows(symbol, start, end):
    frame = yf.Ticker(symbol).history(start=start, end=end, auto_adjust=False, actions=True)
    names = ["Open", "High", "Low", "Close", "Adj Close", "Volume", "Dividends", "Stock Splits"]
    return {str(at): [float(row[name]) for name in names] for at, row in frame.iterrows()}

from yfinance.data import YfData
url = "https://query1.finance.yahoo.com/v7/finance/quote"
quotes = YfData().get(url, params={"symbols": "AAPL,NOPE,MSFT"}).json()["quoteResponse"]["result"]
minutes = yf.Ticker("AAPL").history(period="1d", interval="1m")
print(json.dumps({
    "dividend": rows("AAPL", "2012-11-06", "2012-11-08"),
    "split": rows("AAPL", "2005-02-25", "2005-03-01"),
    "unknown": rows("NOPE", "2012-11-06", "2012-11-08"),
    "calendar": {key: str(value) for key, value in yf.Ticker("AAPL").calendar.items()},
    "quotes": {one["symbol"]: one["regularMarketPrice"] for one in quotes},
    "minutes": [len(minutes), str(minutes.index[-1]), float(minutes["Close"].iloc[-1])],
    "period": len(yf.Ticker("IBM").history(period="5d")),
    "last": yf.Ticker("IBM").fast_info.last_price,
}))
"""


@pytest.fixture
def said(serve: Callable[..., Client], tmp_path: Path) -> Any:
    server = serve().server
    authority = server.write_ca(tmp_path / "ca.pem")
    surroundings = {
        **os.environ,
        "TZ": "UTC",
        "HTTPS_PROXY": server.base_url,
        "HTTP_PROXY": server.base_url,
        "REQUESTS_CA_BUNDLE": str(authority),
        "CURL_CA_BUNDLE": str(authority),
    }
    for name in ("NO_PROXY", "no_proxy"):
        surroundings.pop(name, None)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "cache")]
    done = subprocess.run(command, check=False, env=surroundings, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_unmodified_yfinance_reads_the_recorded_market(said: Any) -> None:
    assert said["dividend"] == {
        "2012-11-06 00:00:00-05:00": [
            590.22998046875,
            590.739990234375,
            580.0900268554688,
            582.8494873046875,
            580.1995239257812,
            13389900.0,
            0.0,
            0.0,
        ],
        "2012-11-07 00:00:00-05:00": [
            573.8350219726562,
            574.5399780273438,
            555.75,
            558.0018920898438,
            558.0018920898438,
            28344600.0,
            2.65,
            0.0,
        ],
    }
    before, ex_day = said["split"].values()
    assert (before[3], before[5], before[7]) == (44.494998931884766, 32696800.0, 0.0)
    assert (ex_day[3], ex_day[5], ex_day[7]) == (44.86000061035156, 11635900.0, 2.0)
    assert said["unknown"] == {}
    assert said["calendar"]["Ex-Dividend Date"] == "2012-11-07"
    assert said["calendar"]["Dividend Date"] == "2012-11-15"
    assert said["quotes"] == {"AAPL": 585.28, "MSFT": 26.615}
    assert said["minutes"] == [390, "2012-11-30 15:59:00-05:00", 585.280029296875]
    assert said["period"] == 5
    assert said["last"] == pytest.approx(190.07)
