"""A plain client of the replay, and short ways to write instants and bars."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from closingbell.replay.market import Bar
from closingbell.replay.server import ReplayServer


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def chart(self) -> Any:
        return self.json["chart"]["result"][0]


class Client:
    """Asks a replay over a socket, as a plain proxy's client does."""

    def __init__(self, server: ReplayServer) -> None:
        self.server = server

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        host: str = "query2.finance.yahoo.com",
        cookie: str | None = None,
        body: Any = None,
        timeout: float = 5.0,
    ) -> Reply:
        target = path if path.startswith("/_replay/") else f"http://{host}{path}"
        headers = {"Cookie": cookie} if cookie else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=timeout)
        try:
            connection.request(method, target, headers=headers, body=json.dumps(body) if body else None)
            response = connection.getresponse()
            return Reply(response.status, dict(response.headers), response.read())
        finally:
            connection.close()

    def chart(self, symbol: str, **params: object) -> Reply:
        query = "&".join(f"{name}={value}" for name, value in params.items())
        return self.ask(f"/v8/finance/chart/{symbol}?{query}")

    def with_crumb(self, path: str) -> Reply:
        given = self.ask("/", host="fc.yahoo.com").headers["Set-Cookie"].partition(";")[0]
        crumb = self.ask("/v1/test/getcrumb", cookie=given).body.decode()
        joint = "&" if "?" in path else "?"
        return self.ask(f"{path}{joint}crumb={crumb}", cookie=given)


def seconds(now: str) -> int:
    return int(datetime.fromisoformat(now).timestamp())


def bar(day: str, price: int) -> Bar:
    """A bar that stood still at a price."""
    value = Decimal(price)
    return Bar(date.fromisoformat(day), value, value, value, value, 1000)
