"""A server on loopback that speaks Tiingo's wire: the recorded market's companies, in the shape of recorded answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.app_fixtures import SYMBOLS, recorded_rows

KEY = "0123456789abcdef-a-key-that-must-not-show"


class TiingoServer:
    """Answers for the recorded companies; ``reply`` puts (status, headers, body) in place of every answer."""

    def __init__(self) -> None:
        self.reply: tuple[int, dict[str, str], bytes] | None = None
        self.delay_s = 0.0
        self.extra: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.keys: list[str | None] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[TiingoServer]:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        ticker = path.removeprefix("/tiingo/daily/").removesuffix("/prices")
        if ticker not in SYMBOLS:
            return 404, {}, json.dumps({"detail": f"Error: Ticker '{ticker}' not found"}).encode()
        first, last = query["startDate"], query["endDate"]
        days = [self._row(ticker, row) for row in recorded_rows(ticker) if first <= row.date <= last]
        return 200, {"Content-Type": "application/json"}, json.dumps(days).encode()

    def _row(self, ticker: str, row: Any) -> dict[str, Any]:
        prices = {name: float(getattr(row, name)) for name in ("open", "high", "low", "close")}
        adjusted = {f"adj{name.capitalize()}": price / 7 for name, price in prices.items()}
        volume = int(row.volume)
        own = {"date": f"{row.date}T00:00:00+00:00", **prices, "volume": volume, "divCash": 0.0, "splitFactor": 1.0}
        return {**own, **adjusted, "adjVolume": volume * 7, **self.extra.get(f"{ticker} {row.date}", {})}


def _handler(server: TiingoServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            server.requests.append((parts.path, query))
            server.keys.append(self.headers.get("Authorization"))
            time.sleep(server.delay_s)
            status, headers, body = server.reply or server.answer(parts.path, query)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
