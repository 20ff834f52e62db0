"""What a log line of a run says: the run's number and the company, in both forms."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from closingbell.utils.logs import configure_logs
from tests.app_fixtures import House

pytestmark = pytest.mark.one_database


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    kept = structlog.get_config()
    yield
    structlog.configure(**kept)


def retried(house: House, capsys: pytest.CaptureFixture[str], format_: str) -> str:
    """The line that says that a company is asked for again, of a run with trouble."""
    house.hold("IBM", since="2012-11-29")
    house.market.misbehave("IBM", "server_error", endpoint="chart", times=1)
    configure_logs("INFO", format_)
    capsys.readouterr()
    assert house.run().run_id == 1
    [line] = [line for line in capsys.readouterr().err.splitlines() if "retry.scheduled" in line]
    return line


def test_a_line_in_json_names_run_and_company(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(retried(house, capsys, "json"))
    assert (told["event"], told["level"]) == ("retry.scheduled", "warning")
    assert (told["run_id"], told["job"], told["symbol"]) == (1, "daily_price_update", "IBM")


def test_a_line_in_text_names_run_and_company(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    line = retried(house, capsys, "text")
    assert "[warning" in line
    assert {"run_id=1", "job=daily_price_update", "symbol=IBM"} <= set(line.split())
