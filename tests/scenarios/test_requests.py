"""What a run cost: the requests that it sent to each provider, as many as the providers' servers counted."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from closingbell.domain.runs import RunStatus
from closingbell.errors import RunCancelledError
from closingbell.jobs.intraday_updater import update_intraday_prices
from closingbell.jobs.price_sweep import sweep_prices
from closingbell.jobs.price_updater import update_daily_prices
from closingbell.jobs.runner import Ending, Run, carry_out
from closingbell.models import JobLog
from closingbell.providers.base import PriceProvider
from closingbell.providers.meter import RequestMeter, metered, note_sent
from closingbell.queries.jobs import find_run
from tests.app_fixtures import SYMBOLS, House
from tests.providers.tiingo_server import KEY, TiingoServer

Houses = Callable[..., House]


def written(house: House) -> list[tuple[str, int, dict[str, int]]]:
    """Status, requests, and requests by provider of every run, as JobLog has them."""
    return [(row.status, row.request_count, json.loads(row.requests_by_provider)) for row in house.rows(JobLog)]


def has_its_cookie(house: House) -> PriceProvider:
    """The house's provider, whose library has asked for its cookie; the market forgets what it saw."""
    provider, now = house.context.open_provider(), house.clock.now()
    provider.fetch_daily("AAPL", first=now.date(), now=now)
    house.market.clear_log()
    return provider


def test_run_counts_what_the_server_counts_retries_too(house: House) -> None:
    house.hold(*SYMBOLS, since="2012-11-29")
    # Answered at the third try.
    house.market.misbehave("IBM", "server_error", endpoint="chart", times=2)

    summary = house.run()

    # Five companies and two tries in vain; the library asks for a cookie besides, where it has none.
    seen = house.market.request_count
    assert house.asked()["chart"] == 7
    assert summary.requests_by_provider == {"yahoo": seen}
    assert written(house) == [("SUCCESS", seen, {"yahoo": seen})]
    assert find_run(house.context.database, summary.run_id).requests_by_provider == {"yahoo": seen}


@pytest.mark.one_database
def test_each_provider_has_its_own_count(tables_url: str, houses: Houses, no_waits: None) -> None:
    pytest.importorskip("tiingo")
    with TiingoServer().running() as tiingo:
        house = houses(
            tables_url,
            "2012-11-30 16:31",
            price_providers="yahoo,tiingo",
            tiingo_api_key=KEY,
            tiingo_base_url=tiingo.base_url,
        )
        house.hold("AAPL", "IBM", since="2012-11-29")
        has_its_cookie(house)
        house.market.misbehave("AAPL", "not_found", endpoint="chart")

        summary = house.run()

        # Apple's and IBM's chart; then Apple of the other one.
        assert (house.market.request_count, len(tiingo.requests)) == (2, 1)
        assert summary.requests_by_provider == {"tiingo": 1, "yahoo": 2}
        assert written(house) == [("SUCCESS", 3, {"tiingo": 1, "yahoo": 2})]
        told = house.command("view-job-logs").stdout.splitlines()[1]
        assert "  3: 1 to tiingo, 2 to yahoo  " in told
        [as_json] = json.loads(house.command("view-job-logs", "--format", "json").stdout)
        assert as_json["requests_by_provider"] == {"tiingo": 1, "yahoo": 2}


@pytest.mark.one_database
def test_run_that_was_stopped_or_failed_says_what_it_had_cost(house: House) -> None:
    provider = has_its_cookie(house)

    def ask_and(error: Exception) -> Callable[[Run], Ending]:
        def body(_run: Run) -> Ending:
            now = house.clock.now()
            provider.fetch_daily("AAPL", first=now.date(), now=now)
            raise error

        return body

    for error in (RunCancelledError("cancelled by ann"), RuntimeError("a bug")):
        with pytest.raises(type(error)):
            carry_out(house.context, "daily_price_update", ask_and(error))

    assert written(house) == [("FAILED", 1, {"yahoo": 1}), ("FAILED", 1, {"yahoo": 1})]
    assert [row.ended_by for row in house.rows(JobLog)] == ["cancelled", "error"]
    assert house.market.request_count == 2


@pytest.mark.one_database
def test_two_runs_at_once_count_their_own(house: House) -> None:
    """They share one provider of their process."""
    provider = has_its_cookie(house)
    both = threading.Barrier(2, timeout=20)

    def ask(times: int) -> Callable[[Run], Ending]:
        def body(_run: Run) -> Ending:
            both.wait()
            for _ in range(times):
                provider.fetch_daily("AAPL", first=house.clock.now().date(), now=house.clock.now())
            both.wait()
            return Ending(RunStatus.SUCCESS, "asked")

        return body

    threads = [
        threading.Thread(target=carry_out, args=(house.context, name, ask(times)))
        for name, times in (("daily_price_update", 2), ("price_sweep", 5))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert {row.job_name: row.request_count for row in house.rows(JobLog)} == {
        "daily_price_update": 2,
        "price_sweep": 5,
    }


@pytest.mark.one_database
def test_every_job_that_asks_counts(house: House) -> None:
    house.hold("AAPL", since="2012-11-29")
    house.run()
    assert house.command("watch", "AAPL").exit_code == 0
    house.at("2012-12-03 11:00")
    update_intraday_prices(house.context)
    house.at("2012-12-03 18:00")
    sweep_prices(house.context, symbols=["AAPL"])
    assert house.command("run-dividend-processor").exit_code in (0, 3)

    counts = [requests for _, requests, _ in written(house)]

    assert len(counts) == 4
    assert min(counts[:3]) >= 1
    assert sum(counts) == house.market.request_count


@pytest.mark.one_database
def test_run_under_way_says_what_it_has_cost_so_far(house: House) -> None:
    """So does one whose process died: nobody else could say it."""
    house.hold("AAPL", since="2012-11-29")
    has_its_cookie(house)
    seen: list[tuple[str, int]] = []

    def look(_told: Any) -> None:
        seen.extend((status, count) for status, count, _ in written(house))

    update_daily_prices(replace(house.context, progress=replace(house.context.progress, ended=look)))

    assert seen == [("RUNNING", 1)]


# --- The meter by itself.


def test_nothing_is_counted_where_no_run_asks() -> None:
    meter = RequestMeter()
    note_sent("yahoo")
    with metered(meter):
        note_sent("yahoo")
        note_sent("tiingo", 2)
        note_sent("files", 0)
    note_sent("yahoo")

    assert meter.by_provider == {"tiingo": 2, "yahoo": 1}
    assert meter.total == 3
