"""Cases that other systems documented or tested, each by its name, with the results that those came to.

Every case of the index is looked at, and everything that a case expects. What we do not offer is named beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from closingbell.domain.adjusting import adjust, factors_of
from closingbell.domain.bars import Bar, StoredBar, merge_bars
from closingbell.domain.money import PRICE_SCALE, to_scaled
from closingbell.errors import UsageError
from closingbell.jobs.market_time import load_session_list
from closingbell.models import Company, Order
from closingbell.providers.yahoo import read_chart
from closingbell.usecases.accounts import set_book
from closingbell.usecases.actions import add_action
from tests.app_fixtures import House
from tests.case_books import (
    ACCOUNT,
    CENTS,
    Json,
    action_of,
    cash_on,
    check_costs,
    check_income,
    check_money,
    check_positions,
    keep_books,
    pay,
    payments,
    read_case,
    view_on,
)

# The rules are the same on every database, which other tests look at.
pytestmark = pytest.mark.parametrize("tables_url", ["sqlite"], indirect=True)
LATE = "2026-01-30 16:31"
SPLIT_OF_2020 = {"1598880600": {"date": 1598880600, "numerator": 4, "denominator": 1, "splitRatio": "4:1"}}


@dataclass(frozen=True)
class Place:
    """Where a case is looked at."""

    house: House
    data: Path


Check = Callable[[Place, Json, Json], None]


@pytest.fixture
def place(tables_url: str, houses: Callable[..., House], no_waits: None, shared_data: Path) -> Place:
    return Place(houses(tables_url, LATE), shared_data)


# --- How each kind of case is looked at.


def check_portfolio(place: Place, case: Json, expected: Json) -> None:
    keep_books(place.house, case)
    check_positions(place.house, expected)
    check_money(place.house, expected, case["base_currency"])
    check_income(place.house, expected)
    check_costs(place.house, expected)


def check_refused(place: Place, case: Json, expected: Json) -> None:
    """Splits that cannot be are refused and change nothing."""
    keep_books(place.house, case)
    for one in expected.pop("errors"):
        assert one["error"] == "rejected"
        with pytest.raises(UsageError):
            add_action(place.house.context, action_of(one["corporate_action"]), by="test", why="the case says so")
    pay(place.house)
    check_positions(place.house, expected)
    check_income(place.house, expected)


def check_import(place: Place, case: Json, expected: Json, *, file: str) -> None:
    import_file(place, file)
    assert cash_on(place.house, "2026-01-30", case["base_currency"]) == expected.pop("final_cash")
    assert expected.pop("positions") == list(view_on(place.house, "2026-01-30").positions)


def check_freetrade(place: Place, case: Json, expected: Json) -> None:
    import_file(place, "investir_freetrade.csv", "--map", "GB00BLDYK618=SMT")
    symbols = {row.id: row.symbol for row in place.house.rows(Company)}
    dividends = [
        (str(one.trade_date), symbols[one.company_id], one.amount - one.tax, one.tax, one.currency)
        for one in place.house.rows(Order, order="trade_date")
        if one.type == "DIVIDEND"
    ]
    assert dividends == [
        (one["date"], one["symbol"], Decimal(one["net"]), Decimal(one["tax"]).quantize(CENTS), one["currency"])
        for one in expected.pop("dividends")
    ]
    isins = {
        "SMT": "GB00BLDYK618", "MSFT": "US5949181045", "AAPL": "US0378331005", "SWKS": "US83088M1027",
        "PYPL": "US70450Y1038",
    }  # fmt: skip
    held = {isins[view.symbol]: view.quantity for view in view_on(place.house, "2026-01-30").positions}
    assert held == {one.pop("isin"): Decimal(one.pop("quantity")) for one in expected["holdings"]}


def import_file(place: Place, name: str, *options: str) -> None:
    result = place.house.command("import", str(place.data / "imports" / name), "--account", ACCOUNT, *options)
    assert result.exit_code == 0, result.stderr


def check_per_share(place: Place, case: Json, expected: Json) -> None:
    """A hundred shares, seven hundred after the split, get what was paid for each."""
    set_book(place.house.context, "pay_policy", "ON_EX", by="test")
    keep_books(place.house, case)
    dividends = expected.pop("per_share")
    assert [(str(one.ex_date), one.per_share, one.quantity) for one in payments(place.house)] == [
        (one["ex_date"], one["amount"], 100 if one["ex_date"] < "2014-06-09" else 700) for one in dividends
    ]
    total = expected.pop("derived_holding")["dividends_total"]
    assert sum(one.gross for one in payments(place.house)) == total
    now = place.house.clock.now()
    sessions = load_session_list(place.house.context, "XNYS", date(2012, 11, 1), now=now)
    for one in dividends:
        assert str(sessions.before(date.fromisoformat(one["ex_date"]))) == one["last_cum_date"]


def check_total_return(place: Place, case: Json, expected: Json) -> None:
    """Reinvested by Quandl's rule, at the close of the ex-date, a holding grows as its adjusted column does."""
    closes = {one["date"]: one["close"] for one in case["prices"]}
    first, last = min(closes), max(closes)
    symbol, shares = case["prices"][0]["symbol"], Decimal(100_000)
    bought = {"date": first, "type": "BUY", "symbol": symbol, "quantity": shares, "price": closes[first]}
    set_book(place.house.context, "pay_policy", "ON_EX", by="test")
    keep_books(place.house, {**case, "transactions": [bought]}, is_reinvesting=True, drip_decimals=10)

    (held,) = view_on(place.house, last).positions
    factor = held.quantity * closes[last] / (shares * closes[first])
    assert abs(factor / Decimal(expected.pop("total_return_factor")) - 1) < Decimal("1e-6")


def check_adjusted(place: Place, case: Json, expected: Json) -> None:
    """Prices before a split are adjusted as others adjust them; they keep seven digits, we six decimals."""
    bars = [_bar(one) for one in case["prices"]]
    (split,) = case["corporate_actions"]
    ratio = Fraction(int(split["ratio_new"]), int(split["ratio_old"]))
    factors = factors_of([(b.date, b.close) for b in bars], {date.fromisoformat(split["ex_date"]): ratio}, {})
    adjusted = {bar.date: bar for bar in adjust(bars, factors)}
    assert expected.pop("tolerance")["price"] > Decimal("0.0001")
    for one in expected.pop("adjusted_prices"):
        theirs, bar = _bar(one), adjusted[date.fromisoformat(one["date"])]
        assert all(abs(ours - price) <= 100 for ours, price in zip(bar[1:5], theirs[1:5], strict=True)), one
        assert bar.volume == theirs.volume


def _bar(one: Json) -> Bar:
    prices = [
        to_scaled(round(Decimal(one[name]), PRICE_SCALE), PRICE_SCALE) for name in ("open", "high", "low", "close")
    ]
    return Bar(date.fromisoformat(one["date"]), *prices, int(one["volume"]))


def check_restated_price(place: Place, case: Json, expected: Json) -> None:
    """What Yahoo recorded in 2025 is the bar that it told in January 2020, so nothing stored changes."""
    before, after = case["prices"]
    assert before["close"] / after["close"] == pytest.approx(expected.pop("close_ratio"), rel=Decimal("1e-6"))
    assert before["volume"] / after["volume"] == expected.pop("volume_ratio")
    answer = recorded_chart(place.data)
    assert answer["chart"]["result"][0]["indicators"]["quote"][0]["close"] == [float(after["close"])]
    (bar,) = read_in_2025(answer, first=date(2020, 1, 2)).bars

    close = to_scaled(before["close"], PRICE_SCALE)
    stored = bar._replace(close=close, volume=int(before["volume"]))
    asked_in_january = StoredBar(stored, True, "yahoo", datetime(2020, 1, 3, 22, tzinfo=UTC))
    merged = merge_bars({bar.date: asked_in_january}, [bar], settled_to=bar.date)

    assert "stored bars must not be mixed" in expected.pop("rule")
    assert (merged.unchanged_count, merged.new, merged.changed) == (1, [], [])


def check_restated_dividend(place: Place, case: Json, expected: Json) -> None:
    """What Yahoo prints of an old dividend after a split is paid as it was declared."""
    answer = recorded_chart(place.data)
    at = int(datetime(2020, 5, 8, 13, 30, tzinfo=UTC).timestamp())
    dividend = {"amount": float(expected.pop("restated")), "date": at}
    answer["chart"]["result"][0]["events"]["dividends"] = {str(at): dividend}
    (told, _) = read_in_2025(answer, first=date(2020, 1, 2)).actions
    assert (str(told.ex_date), told.amount) == (expected.pop("ex_date"), expected.pop("as_paid"))

    paid = {"type": "CASH_DIVIDEND", "symbol": "AAPL", "ex_date": str(told.ex_date), "pay_date": "2020-05-14"}
    paid |= {"amount_per_share": told.amount, "currency": told.currency}
    bought = {"date": "2020-01-02", "type": "BUY", "symbol": "AAPL", "quantity": Decimal(100), "price": Decimal(300)}
    actions = [*case["corporate_actions"], paid]
    keep_books(place.house, {**case, "transactions": [bought], "corporate_actions": actions})

    assert [one.gross for one in payments(place.house)] == [expected.pop("cash_for_100_shares_held_then")]


def recorded_chart(data: Path) -> Any:
    """Yahoo's recorded answer about AAPL on 2020-01-02, with the split that its answers up to now tell of."""
    path = data / "yahoo_payloads" / "chart-AAPL-2020-01-01-to-2020-01-03.json"
    answer = json.loads(path.read_text(encoding="utf-8"))["body"]
    answer["chart"]["result"][0]["events"] = {"splits": SPLIT_OF_2020}
    return answer


def read_in_2025(answer: Any, *, first: date) -> Any:
    return read_chart(answer, symbol="AAPL", first=first, fetched_at=datetime(2025, 2, 19, 22, tzinfo=UTC))


# --- Every case by its name.

CASES: dict[str, Check] = {
    "cgt-02-trading212-2024": partial(check_import, file="cgt_trading212_2024.csv"),
    "cgt-03-schwab-2023": partial(check_import, file="cgt_schwab_2023.csv"),
    "dledger-01-bought-between-ex-and-pay": check_portfolio,
    "dledger-02-whole-split-then-dividend": check_portfolio,
    "ghostfolio-01-msft-dividend-and-fee": check_portfolio,
    "ghostfolio-02a-split-2-for-1": check_portfolio,
    "ghostfolio-03-sell-after-split": check_portfolio,
    "ghostfolio-07-novn-partial-sell": check_portfolio,
    "ghostfolio-10-baln-sell-in-two": check_portfolio,
    "investir-01-freetrade": check_freetrade,
    "lean-01-aapl-dividends-per-share": check_per_share,
    "marketstore-01-aapl-2020-split-adjust": check_adjusted,
    "portfolio-performance-01-dividend-with-fee-and-tax": check_portfolio,
    "qtrader-01-split-4-for-1": check_portfolio,
    "qtrader-02-split-adjusts-every-lot": check_portfolio,
    "qtrader-06-invalid-split-ratios": check_refused,
    "restatement-01-aapl-2020-01-02": check_restated_price,
    "restatement-02-aapl-dividend-0.82-vs-0.205": check_restated_dividend,
    "wiki-01-aapl-2012-2014": check_total_return,
    "wiki-02-ko-1996-split": check_total_return,
    "zipline-01-long-receives-dividend-on-pay-date": check_portfolio,
    "zipline-02-bought-on-ex-date-gets-nothing": check_portfolio,
    "zipline-03-sold-between-ex-and-pay-still-paid": check_portfolio,
    "zipline-09-no-position-no-dividend": check_portfolio,
    "zipline-10-reverse-split-leftover-cash": check_portfolio,
}
# What a case expects and we do not offer: the policy, and what is left of its expectations once the rest is compared.
NOT_OFFERED: dict[str, tuple[str, Json]] = {
    "investir-01-freetrade": (
        "a cost by the United Kingdom's share pools: sales are matched with purchases of the same day and of the next"
        " thirty days first, and fees are part of the cost",
        {
            "holdings": [
                {"cost_gbp": "2196.812045454545454545454546"},
                {"cost_gbp": "882.3464985164979278272490710"},
                {"cost_gbp": "301.699341785252128650422842"},
                {"cost_gbp": "301.0770951964634031790966809"},
                {"cost_gbp": "249.59"},
            ]
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_case_comes_to_what_others_say(place: Place, name: str) -> None:
    case = read_case(place.data, name)
    expected = case["expected"]

    CASES[name](place, case, expected)

    _, left = NOT_OFFERED.get(name, ("", {}))
    assert expected == left


def test_every_case_of_the_index_is_looked_at(tables_url: str, shared_data: Path) -> None:
    index = json.loads((shared_data / "cases" / "INDEX.json").read_text(encoding="utf-8"))

    assert {one["id"] for one in index} == CASES.keys()
    assert NOT_OFFERED.keys() <= CASES.keys()
