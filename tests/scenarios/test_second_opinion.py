"""Bars set aside, and what a second provider says of them; the first is Yahoo, the second a folder of files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.contextvars import get_contextvars

from closingbell.domain.runs import RunStatus
from closingbell.jobs import second_opinion
from closingbell.models import JobLogItem, QuarantinedBar
from closingbell.providers.base import DailyHistory
from closingbell.providers.files import FilesProvider
from tests.app_fixtures import House, item

# Apple's fall of 2000-09-29, from 53.50 to 25.75: real, and doubtful on its evening.
FALL = "AAPL,2000-09-29,28.19,29.00,25.38,{close},132529300,USD"


@pytest.fixture
def house(tables_url: str, houses: Callable[..., House], tmp_path: Path, no_waits: None) -> House:
    (tmp_path / "prices").mkdir()
    made = houses(tables_url, "2000-09-29 16:31", price_providers="yahoo,files", price_files_folder=tmp_path / "prices")
    made.hold("AAPL", since="2000-09-27")
    return made


def put(house: House, *lines: str) -> None:
    """What the second provider has."""
    assert house.settings.price_files_folder is not None
    header = "symbol,date,open,high,low,close,volume,currency"
    file = house.settings.price_files_folder / "second.csv"
    file.write_text("\n".join([header, *lines]), encoding="utf-8")


def decisions(house: House) -> list[tuple[bool, str | None]]:
    """Whether each bar set aside still waits, and its note."""
    return [(row.released_at is None, row.note) for row in house.rows(QuarantinedBar)]


def test_agreement_within_half_a_percent_accepts_the_bar(house: House) -> None:
    # 0.46 % away from Yahoo's 25.75.
    put(house, FALL.format(close="25.87"))

    summary = house.run()

    assert decisions(house) == [(False, "accepted by files: its close is 25.87")]
    assert house.closes("AAPL") == {"2000-09-27": "48.94", "2000-09-28": "53.50", "2000-09-29": "25.75"}
    accepted = house.bars("AAPL")[2]
    assert (accepted.provider, accepted.flag, accepted.is_settled) == ("yahoo", "accepted", True)
    assert (summary.status, summary.message) == (RunStatus.SUCCESS, "3 of 3 expected closes up to 2000-09-29 stored")
    told = item(summary, "AAPL")
    assert (told.outcome, told.error_kind, told.quarantined_count) == ("stored", None, 0)
    assert told.message == "1 set aside and accepted by files"
    [logged] = house.rows(JobLogItem, order="symbol")
    assert (logged.outcome, logged.covered_count, logged.message) == ("stored", 3, told.message)


@pytest.mark.one_database
def test_what_is_logged_while_the_second_is_asked_names_the_company(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(house, FALL.format(close="25.87"))
    house.hold("IBM", since="2000-09-27")
    bound: list[dict[str, object]] = []
    asked = FilesProvider.fetch_daily

    def fetch_daily(self: FilesProvider, symbol: str, **more: Any) -> DailyHistory:
        bound.append(get_contextvars())
        return asked(self, symbol, **more)

    monkeypatch.setattr(FilesProvider, "fetch_daily", fetch_daily)
    summary = house.run()

    assert [(one["symbol"], one["run_id"], one["job"]) for one in bound] == [
        ("AAPL", summary.run_id, "daily_price_update")
    ]
    assert "symbol" not in get_contextvars()


def test_disagreement_is_noted_and_left_for_a_person(house: House) -> None:
    # 0.58 % away: 0.6 % in round numbers.
    put(house, FALL.format(close="25.90"))

    summary = house.run()

    note = "files does not bear it out: its close is 25.90, not 25.75"
    assert decisions(house) == [(True, note)]
    assert list(house.closes("AAPL")) == ["2000-09-27", "2000-09-28"]
    assert (summary.status, item(summary, "AAPL").outcome) == (RunStatus.PARTIAL, "quarantined")
    listed = house.command("quarantine", "list")
    assert note in listed.stdout
    assert json.loads(house.command("quarantine", "list", "--format", "json").stdout)[0]["note"] == note
    number = house.rows(QuarantinedBar)[0].id
    assert house.command("quarantine", "accept", str(number), "--why", "the warning", "--by", "Ann").exit_code == 0
    assert decisions(house) == [(False, "accepted by Ann: the warning")]


def test_session_that_the_second_lacks_too_is_asked_for_again(house: House) -> None:
    put(house, FALL.format(close="25.75").replace("09-29", "09-28"))
    house.run()
    assert decisions(house) == [(True, None)]

    put(house, FALL.format(close="25.75"))
    # Yahoo's answer of the same evening repeats the jump; a bar that is repeated is the market's own.
    house.market.misbehave("AAPL", "price_x100", endpoint="chart")
    house.at("2000-09-29 18:00").run()

    assert decisions(house) == [(True, "files does not bear it out: its close is 25.75, not 2575.00")]
    assert list(house.closes("AAPL")) == ["2000-09-27", "2000-09-28"]


def test_second_that_does_not_know_the_company_is_asked_once(house: House) -> None:
    put(house, FALL.format(close="25.75").replace("AAPL", "IBM"))

    house.run()

    [(is_open, note)] = decisions(house)
    assert is_open
    assert note is not None
    assert note.startswith("no file in ")


def test_hundredfold_price_is_not_accepted_and_the_second_ones_bar_is_not_stored(house: House) -> None:
    house.at("2012-11-29 16:31")
    house.hold("IBM", since="2012-11-26")
    house.run()
    # The quote disagrees with what is stored, so the chart is asked.
    for endpoint in ("quote", "chart"):
        house.market.misbehave("IBM", "price_x100", endpoint=endpoint)
    put(house, "IBM,2012-11-30,191.75,191.91,188.88,190.07,6030900,USD")

    house.at("2012-11-30 16:31").run()

    [(is_open, note)] = [
        (row.released_at is None, row.note)
        for row in house.rows(QuarantinedBar)
        if row.company_id == house.company("IBM").id and str(row.date) == "2012-11-30"
    ]
    assert is_open
    assert note is not None
    assert note.startswith("files does not bear it out: its close is 190.07, not 19007")
    assert "2012-11-30" not in house.closes("IBM")


def test_other_values_are_weighed_anew(house: House) -> None:
    put(house, FALL.format(close="2575.00"))
    house.run()
    assert decisions(house)[0][0]

    house.market.misbehave("AAPL", "price_x100", endpoint="chart")
    house.at("2000-09-29 18:00").run()

    # The second provider has the same wrong price: nobody but a person could know.
    assert decisions(house) == [(False, "accepted by files: its close is 2575.00")]
    assert house.closes("AAPL")["2000-09-29"] == "2575.00"


def test_one_provider_alone_has_no_second(tables_url: str, houses: Callable[..., House], no_waits: None) -> None:
    alone = houses(tables_url, "2000-09-29 16:31")
    alone.hold("AAPL", since="2000-09-27")

    alone.run()

    assert decisions(alone) == [(True, None)]
    assert len(alone.charts()) == 1


def test_run_asks_about_so_many_companies_and_no_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_opinion, "MOST_COMPANIES", 0)
    put(house, FALL.format(close="25.75"))

    house.run()

    assert decisions(house) == [(True, None)]
