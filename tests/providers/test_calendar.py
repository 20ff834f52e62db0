"""Yahoo's calendar, read from its raw instants."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from closingbell.errors import BadAnswerError
from closingbell.providers.yahoo_calendar import read_calendar

NOW = datetime(2022, 3, 1, tzinfo=UTC)


def answer(**events: Any) -> Any:
    return {"quoteSummary": {"result": [{"calendarEvents": {"maxAge": 1, **events}}], "error": None}}


def read(told: Any) -> tuple[date | None, date | None]:
    found = read_calendar(told, symbol="AAPL", now=NOW)
    return found.ex_date, found.pay_date


def test_midnights_are_utc() -> None:
    told = answer(exDividendDate=1648598400, dividendDate=1576108800)
    assert read(told) == (date(2022, 3, 30), date(2019, 12, 12))


def test_dates_are_optional_and_may_be_wrapped() -> None:
    assert read(answer()) == (None, None)
    assert read(answer(exDividendDate={"raw": 1648598400, "fmt": "2022-03-30"}, dividendDate={})) == (
        date(2022, 3, 30),
        None,
    )


@pytest.mark.parametrize("stamp", [1648598401, "2022-03-30", True, 1e18, [], 1648598400.5])
def test_what_is_no_midnight_makes_the_answer_unreadable(stamp: Any) -> None:
    with pytest.raises(BadAnswerError, match="is no calendar"):
        read(answer(exDividendDate=stamp))


@pytest.mark.parametrize("told", [None, {}, {"quoteSummary": {"result": []}}, {"quoteSummary": None}, []])
def test_answer_of_another_shape_is_refused(told: Any) -> None:
    with pytest.raises(BadAnswerError, match="AAPL: Yahoo's answer is no calendar"):
        read(told)
