"""Reading a chart answer: whatever comes, it is a history that can be stored or an error of ours."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from closingbell.domain.money import BIGINT_MAX, QUANTITY_SCALE, to_scaled
from closingbell.errors import BadAnswerError
from closingbell.providers.base import DailyHistory
from closingbell.providers.yahoo import read_chart

FIRST = date(2012, 11, 28)
AT = datetime(2012, 11, 30, 21, 31, tzinfo=UTC)

# 2012-11-28, -29 and -30, each at 09:30 in New York.
STAMPS = [1354113000, 1354199400, 1354285800]


def good() -> dict[str, Any]:
    return {
        "chart": {
            "result": [
                {
                    "meta": {
                        "currency": "USD",
                        "symbol": "AAPL",
                        "exchangeTimezoneName": "America/New_York",
                        "fullExchangeName": "NasdaqGS",
                        "exchangeName": "NMS",
                        "firstTradeDate": 345479400,
                        "longName": "Apple Inc.",
                    },
                    "timestamp": list(STAMPS),
                    "events": {
                        "dividends": {"1354199400": {"amount": 0.5, "date": 1354199400}},
                        "splits": {
                            "1354285800": {"date": 1354285800, "numerator": 2, "denominator": 1, "splitRatio": "2:1"}
                        },
                        "capitalGains": {"1354199400": {"amount": 0.25, "date": 1354199400}},
                    },
                    "indicators": {
                        "quote": [
                            {
                                "open": [50.0, 50.5, 51.0],
                                "high": [51.0, 51.5, 52.0],
                                "low": [49.0, 49.5, 50.0],
                                "close": [50.5, 51.0, 51.5],
                                "volume": [2000, 2200, 1200],
                            }
                        ],
                        "adjclose": [{"adjclose": [50.5, 51.0, 51.5]}],
                    },
                }
            ],
            "error": None,
        }
    }


def read(answer: Any) -> DailyHistory:
    return read_chart(answer, symbol="AAPL", first=FIRST, fetched_at=AT)


def spoilt(path: str, value: Any) -> dict[str, Any]:
    """The good answer with one value of its result replaced; a path like ``meta.symbol``."""
    answer = good()
    node: Any = answer["chart"]["result"][0]
    *way, last = path.split(".")
    for name in way:
        node = node[int(name) if isinstance(node, list) else name]
    node[int(last) if isinstance(node, list) else last] = value
    return answer


def require_storable(history: DailyHistory) -> None:
    """Raise where a column would not take a value."""
    for bar in history.bars:
        assert all(isinstance(number, int) and -BIGINT_MAX <= number <= BIGINT_MAX for number in bar[1:])
    for action in history.actions:
        if action.amount is not None:
            to_scaled(action.amount, QUANTITY_SCALE)
        assert abs(action.numerator or 0) <= BIGINT_MAX
        assert abs(action.denominator or 0) <= BIGINT_MAX
        assert len(action.printed) <= 40
        assert len(action.currency) <= 3
    assert len(history.currency) == 3
    assert len(history.quote_unit) <= 8
    assert len(history.name or "") <= 200
    assert "\0" not in f"{history.name}{history.exchange_name}"
    assert len(history.exchange_name or "") <= 40


def test_good_answer_is_read() -> None:
    history = read(good())

    assert [tuple(bar) for bar in history.bars] == [
        (date(2012, 11, 28), 100_000_000, 102_000_000, 98_000_000, 101_000_000, 1000),
        (date(2012, 11, 29), 101_000_000, 103_000_000, 99_000_000, 102_000_000, 1100),
        (date(2012, 11, 30), 51_000_000, 52_000_000, 50_000_000, 51_500_000, 1200),
    ]
    assert [(action.kind.value, action.amount, action.printed) for action in history.actions] == [
        ("CAPITAL_GAIN", Decimal("0.50"), "0.25"),
        ("DIVIDEND", Decimal("1.00"), "0.5"),
        ("SPLIT", None, "2:1"),
    ]
    assert history.first_trade_date == date(1980, 12, 12)
    require_storable(history)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("meta", None),
        ("meta", []),
        ("meta.currency", None),
        ("meta.currency", 5),
        ("meta.currency", "USDOLLAR"),
        ("meta.currency", ""),
        ("meta.symbol", 7),
        ("meta.symbol", "MSFT"),
        ("meta.exchangeTimezoneName", None),
        ("meta.exchangeTimezoneName", ""),
        ("meta.exchangeTimezoneName", "Mars/Olympus"),
        ("meta.exchangeTimezoneName", "../../etc/passwd"),
        ("meta.exchangeTimezoneName", "America"),
        ("meta.exchangeTimezoneName", 5),
        ("timestamp", "now"),
        ("timestamp", [1, 2]),
        ("timestamp.0", None),
        ("timestamp.0", "x"),
        ("timestamp.0", 10**30),
        ("timestamp.0", 1e300),
        ("timestamp.0", -(10**18)),
        ("indicators", None),
        ("indicators.quote", []),
        ("indicators.quote.0", {}),
        ("indicators.quote.0.open", None),
        ("indicators.quote.0.close", [1.0]),
        ("indicators.quote.0.close.0", "12"),
        ("indicators.quote.0.close.0", 1e300),
        ("indicators.quote.0.close.0", float("inf")),
        ("indicators.quote.0.close.0", float("nan")),
        ("indicators.quote.0.low.0", -1e300),
        ("indicators.quote.0.volume.0", 1e30),
        ("indicators.quote.0.volume.0", 10**40),
        ("indicators.quote.0.volume.0", "many"),
        ("indicators.quote.0.volume.0", float("nan")),
        ("events", "none"),
        ("events.splits", ["2:1"]),
        ("events.splits.1354285800", None),
        ("events.splits.1354285800.numerator", 0),
        ("events.splits.1354285800.numerator", -2),
        ("events.splits.1354285800.denominator", 0),
        ("events.splits.1354285800.numerator", 1e300),
        ("events.splits.1354285800.numerator", "two"),
        ("events.splits.1354285800.date", None),
        ("events.dividends", [1]),
        ("events.dividends.1354199400.amount", None),
        ("events.dividends.1354199400.amount", "0.5"),
        ("events.dividends.1354199400.amount", 1e300),
        ("events.dividends.1354199400.amount", 5e9),
        ("events.dividends.1354199400.amount", float("nan")),
        ("events.dividends.1354199400.currency", "DOLLARS"),
        ("events.dividends.1354199400.currency", 7),
    ],
)
def test_value_that_cannot_be_is_refused(path: str, value: Any) -> None:
    with pytest.raises(BadAnswerError, match=r"^AAPL: "):
        read(spoilt(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("meta.firstTradeDate", None),
        ("meta.firstTradeDate", 10**30),
        ("meta.firstTradeDate", -(10**15)),
        ("meta.firstTradeDate", "1980"),
        ("meta.longName", None),
        ("meta.longName", "x" * 500),
        ("meta.longName", 5),
        ("meta.fullExchangeName", "x" * 500),
        ("meta.fullExchangeName", ["NasdaqGS"]),
        ("meta.symbol", "aapl"),
        ("meta.symbol", None),
        ("events", None),
        ("events.dividends", None),
        ("events.splits", {}),
        ("indicators.adjclose", None),
        ("indicators.quote.0.volume.0", None),
        ("events.dividends.1354199400.amount", 0.0571429990231991),
        ("events.dividends.1354199400.amount", 1e-7),
        ("events.dividends.1354199400.amount", 0),
        ("events.splits.1354285800.numerator", 1.0372),
        ("events.splits.1354285800.numerator", "2"),
    ],
)
def test_value_that_does_not_matter_is_read_and_can_be_stored(path: str, value: Any) -> None:
    history = read(spoilt(path, value))

    assert len(history.bars) == 3
    require_storable(history)


def test_float32_dividend_is_told_as_declared() -> None:
    answer = spoilt("events.splits", {})
    answer["chart"]["result"][0]["events"]["dividends"]["1354199400"]["amount"] = 0.7699999809265137

    [dividend] = [action for action in read(answer).actions if action.kind.value == "DIVIDEND"]

    assert (dividend.amount, dividend.printed) == (Decimal("0.77"), "0.7699999809265137")


def test_row_of_the_running_day_printed_twice_counts_once() -> None:
    answer = good()
    result = answer["chart"]["result"][0]
    # The session's own row, and behind it the live one with the time of the last trade.
    result["timestamp"].append(1354309201)
    for column, value in zip(result["indicators"]["quote"][0].values(), [51.0, 53.0, 50.0, 52.5, 1300], strict=True):
        column.append(value)

    assert [(str(bar.date), bar.close, bar.volume) for bar in read(answer).bars][-2:] == [
        ("2012-11-29", 102_000_000, 1100),
        ("2012-11-30", 52_500_000, 1300),
    ]


def test_rows_out_of_order_or_printed_twice_leave_one_bar_a_day_in_order() -> None:
    answer = good()
    result = answer["chart"]["result"][0]
    result["events"] = {}
    order = [2, 0, 1, 0]
    result["timestamp"] = [STAMPS[index] for index in order]
    for column in result["indicators"]["quote"][0].values():
        column[:] = [column[index] for index in order]

    assert [str(bar.date) for bar in read(answer).bars] == ["2012-11-28", "2012-11-29", "2012-11-30"]


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 10**400, 1e300, -1e300, 1e-300, 0.1, float("inf")]),
    st.sampled_from(["", "x", "USD", "2", "-1", "NaN", "x" * 300, "\x00", "É", "2012-11-30"]),
    st.sampled_from([[], {}, [None], [1], {"date": 1}, [[]], {"a": {}}]),
)


@settings(max_examples=600)
@given(st.data())
def test_no_answer_ends_in_anything_but_a_history_or_an_error_of_ours(data: st.DataObject) -> None:
    answer: Any = good()
    for _ in range(data.draw(st.integers(1, 3))):
        _spoil(answer, data)

    try:
        history = read(answer)
    except BadAnswerError:
        return

    require_storable(history)


def _spoil(answer: Any, data: st.DataObject) -> None:
    """Replace, remove or repeat one node somewhere in the answer."""
    node = answer
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        child = node[key]
        if isinstance(child, dict | list) and child and data.draw(st.integers(0, 5)):
            node = child
            continue
        deed = data.draw(st.sampled_from(["replace", "replace", "remove", "repeat"]))
        if deed == "replace":
            node[key] = copy.deepcopy(data.draw(ODD))
        elif deed == "remove":
            del node[key]
        elif isinstance(node, list):
            node.append(copy.deepcopy(child))
        return


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_bytes_are_json_or_refused(body: bytes) -> None:
    try:
        answer = orjson.loads(body)
    except ValueError:
        return
    with pytest.raises(BadAnswerError):
        read(answer)


def test_split_that_is_only_announced_restates_nothing() -> None:
    answer = good()
    monday = 1354545000
    answer["chart"]["result"][0]["events"]["splits"] = {
        str(monday): {"date": monday, "numerator": 4, "denominator": 1, "splitRatio": "4:1"}
    }

    history = read_chart(answer, symbol="AAPL", first=FIRST, fetched_at=AT)

    assert [bar.close for bar in history.bars] == [50_500_000, 51_000_000, 51_500_000]
    assert [str(action.amount) for action in history.actions if action.amount is not None] == ["0.25", "0.5"]
    assert [(str(a.ex_date), a.numerator) for a in history.actions if a.numerator] == [("2012-12-03", 4)]
