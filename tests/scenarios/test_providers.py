"""Providers in order, told as stories: who is asked, what is stored, and what a person sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from closingbell.domain.money import plain
from closingbell.domain.runs import RunStatus
from closingbell.jobs.context import EXTENSION
from closingbell.models import PriceRevision
from tests.app_fixtures import House, item
from tests.providers.tiingo_server import KEY, TiingoServer

Houses = Callable[..., House]


@pytest.fixture
def told_by_the_clock(sqlite_url: str, houses: Houses, no_waits: None) -> House:
    """A house in which what is told of providers goes by the story's time, too."""
    house = houses(sqlite_url, "2012-11-30 16:31")
    assert house.command("init-db").exit_code == 0
    return by_its_clock(house)


def by_its_clock(house: House) -> House:
    house.context = replace(house.context, wall=house.clock)
    house.app.extensions[EXTENSION] = house.context
    return house


def providers(house: House) -> dict[str, dict[str, Any]]:
    """What ``closingbell providers`` tells, by name."""
    result = house.command("providers", "--format", "json")
    assert result.exit_code == 0, result.output
    return {view["name"]: view for view in json.loads(result.stdout)}


@pytest.fixture
def two_providers(tables_url: str, houses: Houses, tmp_path: Path, no_waits: None) -> House:
    """A house on each database with Yahoo and, after it, a folder of files."""
    (tmp_path / "prices").mkdir()
    house = houses(
        tables_url, "2012-11-30 16:31", price_providers="yahoo,files", price_files_folder=tmp_path / "prices"
    )
    return by_its_clock(house)


def put(house: House, *lines: str) -> None:
    """Write the file that the second provider reads."""
    assert house.settings.price_files_folder is not None
    file = house.settings.price_files_folder / "by-hand.csv"
    file.write_text("\n".join(["symbol,date,open,high,low,close,volume,currency", *lines]), encoding="utf-8")


def take_down(house: House) -> None:
    """Yahoo answers nothing that is asked for prices."""
    for endpoint in ("chart", "quote"):
        house.market.misbehave("*", "server_error", endpoint=endpoint)


def told_bars(house: House, symbol: str) -> list[tuple[str, str, str]]:
    """Date, close and provider of a company's stored bars."""
    return [(str(bar.date), plain(bar.close), bar.provider) for bar in house.bars(symbol)]


def test_rate_limit_is_a_state_with_an_end(told_by_the_clock: House) -> None:
    house = told_by_the_clock
    house.hold("AAPL", since="2012-11-29")
    house.market.misbehave("AAPL", "rate_limited", retry_after_s=1260, endpoint="chart")

    summary = house.run()

    assert item(summary, "AAPL").error_kind == "rate_limited"
    told = providers(house)["yahoo"]
    assert (told["position"], told["state"]) == (1, "rate limited")
    assert told["in_words"] == "rate limited, again at 16:52"
    assert "rate limited, again at 16:52" in house.command("providers").stdout
    house.at("2012-11-30 16:53")
    assert providers(house)["yahoo"]["in_words"] == "up"


def test_source_that_is_down_is_shown_and_comes_back(told_by_the_clock: House) -> None:
    house = told_by_the_clock
    house.hold("AAPL", "IBM", "MSFT", since="2012-11-29")
    take_down(house)

    assert house.run().status is RunStatus.FAILED
    told = providers(house)["yahoo"]
    assert told["state"] == "down"
    assert told["last_error"] == "Yahoo is down (HTTP 500)"
    assert told["until"] == "2012-11-30T21:31:30+00:00"
    checks = {c["name"]: c for c in json.loads(house.command("doctor", "--offline", "--format", "json").stdout)}
    assert checks["provider yahoo"]["state"] == "fail"
    assert checks["provider yahoo"]["message"] == "down, next trial at 16:31 (Yahoo is down (HTTP 500))"

    house.market.behave()
    assert house.at("2012-11-30 17:00").run().status is RunStatus.SUCCESS
    assert providers(house)["yahoo"]["in_words"] == "up"


# --- Two providers.


def test_second_provider_steps_in_and_yahoo_comes_back(two_providers: House) -> None:
    house = two_providers
    house.at("2012-11-29 16:31").hold("AAPL", "IBM", since="2012-11-29")
    take_down(house)
    put(
        house,
        "AAPL,2012-11-29,590.22,594.25,585.25,589.36,18382100,USD",
        "IBM,2012-11-29,191.75,192.20,190.80,191.53,3116100,USD",
    )

    # Thursday: Yahoo is down, and the files answer.
    summary = house.run()

    assert (summary.status, summary.message) == (
        RunStatus.SUCCESS,
        "2 of 2 expected closes up to 2012-11-29 stored",
    )
    assert told_bars(house, "AAPL") == [("2012-11-29", "589.36", "files")]
    assert told_bars(house, "IBM") == [("2012-11-29", "191.53", "files")]
    assert house.states("AAPL") == {"2012-11-29": "provisional"}

    # The same evening, again and again: after the fifth failure nobody asks Yahoo (two may be under way at once).
    for _ in range(5):
        house.refresh("AAPL", "IBM", force=True)
    assert len(house.charts()) in {5, 6}
    assert providers(house)["yahoo"]["state"] == "down"
    assert providers(house)["files"]["state"] == "up"

    # Friday: Yahoo is back, one trial shows it, and its bars are stored from then on.
    house.market.behave()
    assert house.at("2012-11-30 16:31").run().status is RunStatus.SUCCESS
    assert told_bars(house, "AAPL")[-1] == ("2012-11-30", "585.28", "yahoo")
    assert providers(house)["yahoo"]["in_words"] == "up"


def test_symbol_that_does_not_exist_stays_another_outcome(two_providers: House) -> None:
    house = two_providers
    house.hold("AAPL", "NOPE", since="2012-11-30")
    house.market.misbehave("AAPL", "server_error", endpoint="chart")

    summary = house.run()

    assert {one.symbol: one.error_kind for one in summary.items} == {"AAPL": "source_down", "NOPE": "symbol_unknown"}
    told = item(summary, "NOPE").message
    assert told is not None
    assert told.startswith("Yahoo does not know this symbol (HTTP 404: No data found, symbol may be delisted); files: ")


def test_company_is_repaired_from_its_file(two_providers: House) -> None:
    house = two_providers
    house.hold("AAPL", since="2012-11-29")
    house.run()
    put(house, "AAPL,2012-11-29,590.22,594.25,585.25,589.30,18382100,USD")

    result = house.command(
        *("refresh-prices", "--symbols", "AAPL", "--date", "2012-11-29", "--force", "--provider", "files")
    )

    assert result.exit_code == 0, result.output
    assert told_bars(house, "AAPL")[0] == ("2012-11-29", "589.30", "files")
    [revision] = house.rows(PriceRevision)
    assert (plain(revision.old_close), revision.old_provider, revision.new_provider) == ("589.36", "yahoo", "files")
    refused = house.command("refresh-prices", "--provider", "nobody")
    assert (refused.exit_code, refused.stderr) == (
        2,
        "error: no provider is called nobody; there are files, tiingo, yahoo\n",
    )


def test_long_rate_limit_leads_to_the_next_provider_at_once(two_providers: House) -> None:
    house = two_providers
    house.hold("AAPL", "IBM", since="2012-11-30")
    house.market.misbehave("*", "rate_limited", retry_after_s=1260, endpoint="chart")
    put(
        house,
        "AAPL,2012-11-30,586.79,588.40,582.68,585.28,13975700,USD",
        "IBM,2012-11-30,191.75,191.91,188.88,190.07,6030900,USD",
    )

    assert house.run().status is RunStatus.SUCCESS
    house.refresh("AAPL", "IBM", force=True)

    # One or two requests were under way when the limit came; after that nobody asks.
    assert len(house.charts()) in {1, 2}
    assert told_bars(house, "AAPL") == [("2012-11-30", "585.28", "files")]
    assert told_bars(house, "IBM") == [("2012-11-30", "190.07", "files")]
    assert providers(house)["yahoo"]["in_words"] == "rate limited, again at 16:52"


def test_tiingo_steps_in_and_says_so(tables_url: str, houses: Houses, no_waits: None) -> None:
    pytest.importorskip("tiingo")
    with TiingoServer().running() as tiingo:
        house = by_its_clock(
            houses(
                tables_url,
                "2012-11-30 16:31",
                price_providers="yahoo,tiingo",
                tiingo_api_key=KEY,
                tiingo_base_url=tiingo.base_url,
            )
        )
        house.hold("AAPL", "VOD.L", since="2012-11-29")
        take_down(house)

        summary = house.run()

        assert told_bars(house, "AAPL") == [("2012-11-29", "589.36", "tiingo"), ("2012-11-30", "585.28", "tiingo")]
        # London is not Tiingo's: Yahoo's word counts, and it has none yet.
        assert {one.symbol: one.error_kind for one in summary.items} == {"AAPL": None, "VOD.L": "source_down"}
        assert [path for path, _ in tiingo.requests] == ["/tiingo/daily/AAPL/prices"]
        assert providers(house)["tiingo"]["in_words"] == "up"
        checks = {c["name"]: c for c in json.loads(house.command("doctor", "--offline", "--format", "json").stdout)}
        assert (checks["provider tiingo"]["state"], checks["provider tiingo"]["message"]) == ("ok", "up, gives daily")


def test_key_that_is_missing_is_named_and_the_others_go_on(sqlite_url: str, houses: Houses, no_waits: None) -> None:
    house = by_its_clock(houses(sqlite_url, "2012-11-30 16:31", price_providers="tiingo,yahoo"))
    assert house.command("init-db").exit_code == 0
    house.hold("AAPL", since="2012-11-30")

    assert house.run().status is RunStatus.SUCCESS

    told = providers(house)
    assert (told["tiingo"]["position"], told["tiingo"]["state"]) == (1, "not configured")
    assert told["tiingo"]["in_words"] == "not configured: set TIINGO_API_KEY (a key costs nothing at tiingo.com)"
    assert told["yahoo"]["in_words"] == "up"
    assert told["files"]["in_words"] == "not in use"
