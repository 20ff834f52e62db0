"""A run that is killed at any moment, and run again, leaves the same rows as one that nobody disturbed."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from closingbell.domain.runs import RunStatus
from closingbell.models import Company, CorporateActionRow, JobLog, PriceCoverage, PriceHistory
from closingbell.replay import RecordedMarket
from closingbell.stores.upsert import table_of
from tests.app_fixtures import SYMBOLS, House
from tests.faults.run_server import RunServer

CLONES = 7
SINCE = "2012-10-22"
SESSIONS = 27


@pytest.fixture
def held(tables_url: str, houses: Callable[..., House], no_waits: None, market: RecordedMarket) -> House:
    """A house with twelve companies of 27 sessions to fetch."""
    return _with_orders(houses(tables_url, "2012-11-30 16:31", market=market.with_clones(CLONES)))


def _with_orders(house: House) -> House:
    house.hold(*SYMBOLS, *(f"C{number:05}" for number in range(1, CLONES + 1)), since=SINCE)
    return house


Runs = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def runs(held: House, run_server: RunServer) -> Runs:
    """Carries out runs of the house in processes of their own; see ``runs.py``."""
    return partial(run_server.carry_out, held.environment(YAHOO_CONCURRENCY="2"))


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, market: RecordedMarket) -> dict[str, set[tuple[Any, ...]]]:
    """What a run that nobody disturbed stores."""
    folder = tmp_path_factory.mktemp("undisturbed")
    house = House(f"sqlite:///{folder}/x.sqlite", market.with_clones(CLONES), "2012-11-30 16:31", folder)
    house.command("init-db")
    assert _with_orders(house).run().status is RunStatus.SUCCESS
    found = what_is_stored(house)
    house.close()
    return found


def what_is_stored(house: House) -> dict[str, set[tuple[Any, ...]]]:
    """Bars, actions and complete ranges by symbol; when they were fetched does not count, nor what ids rows got."""
    bar, action, coverage = table_of(PriceHistory), table_of(CorporateActionRow), table_of(PriceCoverage)
    company = table_of(Company)
    queries = {
        "bars": select(company.c.symbol, *(c for c in bar.c if c.name not in {"company_id", "fetched_at"})).join(
            company, company.c.id == bar.c.company_id
        ),
        "actions": select(
            company.c.symbol,
            *(c for c in action.c if c.name not in {"id", "company_id", "first_seen_at", "last_seen_at"}),
        ).join(company, company.c.id == action.c.company_id),
        "ranges": select(company.c.symbol, coverage.c.covered_from, coverage.c.settled_until).join(
            company, company.c.id == coverage.c.company_id
        ),
        "companies": select(company.c.symbol, company.c.currency, company.c.name, company.c.first_trade_date),
    }
    with house.context.database.read() as connection:
        return {name: {tuple(row) for row in connection.execute(query)} for name, query in queries.items()}


def require_whole(house: House, undisturbed: dict[str, set[tuple[Any, ...]]], *, killed: int) -> None:
    """The rows are those of an undisturbed run, and every run has an honest end."""
    assert what_is_stored(house) == undisturbed
    assert len(undisturbed["bars"]) == SESSIONS * (len(SYMBOLS) + CLONES)
    logs = house.rows(JobLog)
    assert {log.status for log in logs} <= {"SUCCESS", "FAILED"}
    orphans = [log for log in logs if log.status == "FAILED"]
    assert len(orphans) <= killed
    for log in orphans:
        assert log.ended_by == "orphaned"
        assert "the process that carried out this run ended before the run did" in log.error_message
        assert log.completed_at is not None


def test_run_killed_at_any_statement_is_made_good_by_the_next(
    held: House, runs: Runs, undisturbed: dict[str, set[tuple[Any, ...]]]
) -> None:
    # The last statement comes first: what it leaves is nearly everything.
    moments = [1, 4, 9, 15, 30, 55]

    ends = [runs(at_statement=moment)[0]["end"] for moment in moments]

    assert ends == ["killed"] * len(moments)
    [last] = runs()
    assert last["end"] == "SUCCESS"
    require_whole(held, undisturbed, killed=len(moments))


def test_run_killed_after_any_time_is_made_good_by_the_next(
    held: House, runs: Runs, undisturbed: dict[str, set[tuple[Any, ...]]]
) -> None:
    moments = random.Random(20121130)

    killed = sum(runs(after_s=moments.uniform(0.02, 0.5))[0]["end"] == "killed" for _ in range(5))

    assert held.run().status is RunStatus.SUCCESS
    require_whole(held, undisturbed, killed=killed)


@pytest.mark.soak
def test_run_killed_at_every_statement(held: House, undisturbed: dict[str, set[tuple[Any, ...]]], runs: Runs) -> None:
    """Every statement of a whole run is the last one of some run; after each, one more run makes it good."""
    statement, killed = 0, 0
    while True:
        statement += 1
        _forget(held)
        [end] = runs(at_statement=statement)
        if end["end"] != "killed":
            break
        killed += 1
        assert runs()[0]["end"] == "SUCCESS", f"after a kill at statement {statement}"
        require_whole(held, undisturbed, killed=killed)
    assert statement > 100


@pytest.mark.soak
def test_run_killed_after_many_times(held: House, runs: Runs, undisturbed: dict[str, set[tuple[Any, ...]]]) -> None:
    seed = int(os.environ.get("CLOSINGBELL_SOAK_SEED", "1"))
    moments = random.Random(seed)
    killed = 0
    for number in range(40):
        _forget(held)
        for _ in range(moments.randint(1, 4)):
            killed += runs(after_s=moments.uniform(0.0, 0.7))[0]["end"] == "killed"
        assert runs()[0]["end"] == "SUCCESS", f"seed {seed}, round {number}"
        require_whole(held, undisturbed, killed=killed)


def _forget(house: House) -> None:
    """Take away what runs stored; orders and JobLog stay."""
    with house.context.database.write() as connection:
        for name in ("price_revision", "quarantined_bar", "price_gap", "price_coverage", "price_history"):
            connection.exec_driver_sql(f"DELETE FROM {name}")
        connection.exec_driver_sql("DELETE FROM corporate_action_revision")
        connection.exec_driver_sql("DELETE FROM corporate_action")


def test_two_runs_at_once_store_the_same_rows(
    held: House, runs: Runs, undisturbed: dict[str, set[tuple[Any, ...]]]
) -> None:
    ends = sorted(one["end"] for one in runs(at_once=2))

    # Either both do the work, or the second one leaves it to the first.
    assert ends in (["SUCCESS", "SUCCESS"], ["AlreadyRunningError", "SUCCESS"])
    require_whole(held, undisturbed, killed=0)


@pytest.mark.soak
def test_many_runs_at_once_store_the_same_rows(
    held: House, runs: Runs, undisturbed: dict[str, set[tuple[Any, ...]]]
) -> None:
    for _ in range(20):
        _forget(held)
        assert {one["end"] for one in runs(at_once=4)} <= {"SUCCESS", "AlreadyRunningError"}
        require_whole(held, undisturbed, killed=0)
