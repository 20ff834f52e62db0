"""Our own providers keep the contract that is public."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from closingbell.providers.base import PriceProvider
from closingbell.providers.files import FilesProvider
from closingbell.providers.yahoo import YahooProvider
from closingbell.replay import ReplayServer
from closingbell.testing import ProviderContract
from tests.app_fixtures import new_york, recorded_rows

DOCS = Path(__file__).parents[2] / "docs"
FIRST = date(2012, 11, 5)
NOW = new_york("2012-11-30 16:31")


class TestYahoo(ProviderContract):
    symbol, unknown_symbol = "AAPL", "NOPE"
    first, now = FIRST, NOW

    @pytest.fixture
    def provider(self, provide: Callable[..., YahooProvider], server: ReplayServer) -> PriceProvider:
        return provide(server)

    @pytest.fixture
    def provider_that_is_down(self, provide: Callable[..., YahooProvider], server: ReplayServer) -> PriceProvider:
        server.misbehave("AAPL", "server_error", endpoint="chart")
        return provide(server)


class TestFiles(ProviderContract):
    symbol, unknown_symbol = "AAPL", "NOPE"
    first, now = FIRST, NOW

    @pytest.fixture
    def provider(self, tmp_path: Path) -> PriceProvider:
        rows = [row for row in recorded_rows("AAPL") if "2012-11" in row.date]
        lines = [f"{r.date},{r.open},{r.high},{r.low},{r.close},{r.volume},USD" for r in rows]
        text = "\n".join(["date,open,high,low,close,volume,currency", *lines])
        (tmp_path / "AAPL.csv").write_text(text, encoding="utf-8")
        return FilesProvider(tmp_path)


def _example() -> dict[str, type]:
    """What the example on the page defines."""
    [code] = re.findall(r"```python\n(.*?)```", (DOCS / "providers.md").read_text(encoding="utf-8"), flags=re.S)
    defined: dict[str, type] = {"__name__": "acme"}  # type: ignore[dict-item]
    exec(compile(code, "docs/providers.md", "exec"), defined)
    return defined


class TestExampleOfTheDocs(ProviderContract):
    """The small provider that docs/providers.md shows."""

    symbol, unknown_symbol = "AAPL", "NOPE"
    first, now = date(2012, 11, 26), datetime(2012, 11, 30, 21, 31, tzinfo=UTC)

    @pytest.fixture
    def provider(self) -> PriceProvider:
        made: PriceProvider = _example()["AcmeProvider"](None)
        return made
