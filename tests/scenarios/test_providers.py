"""Providers in order, told as stories: who is asked, what is stored, and what a person sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from closingbell.domain.runs import RunStatus
from closingbell.jobs.context import EXTENSION
from tests.app_fixtures import House, item

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
    house.market.misbehave("*", "server_error", endpoint="chart")

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
