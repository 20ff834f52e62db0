"""The API over what is kept, as a program reads it."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from sqlalchemy import delete, insert, select, update
from werkzeug.test import TestResponse

from closingbell.models import Notification, Order, PriceHistory, User
from closingbell.usecases import people
from tests.web.conftest import Site, _quick_hash, site  # noqa: F401

DOCS = Path(__file__).parents[2] / "docs"


@dataclass
class Program:
    """A program with a token of each scope."""

    site: Site
    tokens: dict[str, str]

    def call(self, method: str, path: str, *, scope: str | None = "read", **more: Any) -> TestResponse:
        headers = dict(more.pop("headers", {}))
        if scope is not None:
            headers["Authorization"] = f"Bearer {self.tokens[scope]}"
        return self.site.house.app.test_client().open(f"/api/v1{path}", method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> Any:
        response = self.call("GET", path, **more)
        assert response.status_code == 200, (path, response.get_data(as_text=True))
        return response.get_json()

    def problem(self, method: str, path: str, **more: Any) -> tuple[int, str]:
        response = self.call(method, path, **more)
        assert response.content_type == "application/problem+json", (path, response.get_data(as_text=True))
        told = response.get_json()
        assert told["status"] == response.status_code
        return response.status_code, told["detail"]


@pytest.fixture
def program(site: Site) -> Program:  # noqa: F811
    """Ann's twenty shares of Apple since 2012-09-04, an evening's prices, and the dividend of 2012-11-07 paid."""
    house = site.house
    house.orders("2012-09-04,DEPOSIT,,,100000,0,USD 2012-09-04,BUY,AAPL,20,675.00,4.95,USD")
    house.run()
    assert house.command("run-dividend-processor").exit_code == 0
    tokens = {
        scope: people.create_token(site.context, name=scope, scope=scope, by="ann") for scope in ("read", "operate")
    }
    return Program(site, tokens)


def test_nothing_is_told_without_a_token(program: Program) -> None:
    for path in ("/companies", "/openapi.json", "/nothing", "/accounts/1/orders"):
        status, detail = program.problem("GET", path, scope=None)
        assert (status, detail) == (401, "this needs a token: Authorization: Bearer cb_...")
    # A session is not a token.
    assert program.site.as_("administrator").get("/api/v1/companies").status_code == 401


def test_companies_go_on_by_key(program: Program) -> None:
    program.site.house.hold("IBM", since="2012-11-29")
    first = program.get("/companies?limit=1")
    assert [one["symbol"] for one in first["items"]] == ["AAPL"]
    assert first["next"] == "/api/v1/companies?limit=1&after=AAPL"
    second = program.get(first["next"].removeprefix("/api/v1"))
    assert ([one["symbol"] for one in second["items"]], second["next"]) == (["IBM"], None)
    apple = program.get("/companies/aapl")
    assert (apple["newest_close"], apple["newest_date"], apple["is_provisional"]) == ("585.28", "2012-11-30", True)


def test_bars_in_every_form(program: Program) -> None:
    told = program.get("/companies/AAPL/bars?from=2012-11-29")
    assert [(bar["date"], bar["close"], bar["volume"]) for bar in told["items"]] == [
        ("2012-11-29", "589.36", 18_382_100),
        ("2012-11-30", "585.28", 13_975_700),
    ]
    lines = program.call("GET", "/companies/AAPL/bars?from=2012-11-30&format=csv").get_data(as_text=True).splitlines()
    assert lines[0] == "date,open,high,low,close,volume,is_provisional,provider,fetched_at,flag"
    assert lines[1].startswith("2012-11-30,586.79,588.40,582.68,585.28,13975700,true,yahoo,2012-11-30T21:31:")
    file = program.call("GET", "/companies/AAPL/bars?from=2012-11-30&format=parquet").data
    [row] = parquet.read_table(io.BytesIO(file)).to_pylist()
    assert (str(row["date"]), str(row["close"]), row["volume"]) == ("2012-11-30", "585.280000", 13_975_700)
    adjusted = program.get("/companies/AAPL/bars?from=2012-11-06&to=2012-11-06&adjusted=true")
    assert adjusted["items"][0]["close"] == "580.1995"


def test_no_cell_of_a_csv_is_run_by_a_spreadsheet(program: Program) -> None:
    with program.site.context.database.write() as connection:
        connection.execute(update(PriceHistory).values(flag="=1+1"))
    lines = program.call("GET", "/companies/AAPL/bars?from=2012-11-30&format=csv").get_data(as_text=True).splitlines()
    assert lines[1].endswith(",'=1+1")


def test_bars_go_on_by_day(program: Program) -> None:
    told = program.get("/companies/AAPL/bars?from=2012-11-27&limit=2")
    assert told["next"] == "/api/v1/companies/AAPL/bars?from=2012-11-29&limit=2"
    following = program.get(told["next"].removeprefix("/api/v1"))
    assert ([bar["date"] for bar in following["items"]], following["next"]) == (["2012-11-29", "2012-11-30"], None)


def test_what_has_not_changed_is_not_sent_again(program: Program) -> None:
    first = program.call("GET", "/companies/AAPL/bars")
    again = program.call("GET", "/companies/AAPL/bars", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_bars_say_when_they_were_fetched_and_only_their_fingerprint_decides(program: Program) -> None:
    for form in ("json", "csv", "parquet"):
        dated = program.call("GET", f"/companies/AAPL/bars?format={form}")
        assert dated.headers["Last-Modified"].startswith("Fri, 30 Nov 2012 21:31:"), form
    with program.site.context.database.write() as connection:
        connection.execute(delete(PriceHistory).where(PriceHistory.date == date(2012, 11, 29)))
    again = program.call(
        "GET", "/companies/AAPL/bars?format=csv", headers={"If-Modified-Since": dated.headers["Last-Modified"]}
    )
    assert again.status_code == 200
    assert "2012-11-29" not in again.get_data(as_text=True)
    # What is paid later changes adjusted bars, and no bar is fetched for it.
    adjusted = program.call("GET", "/companies/AAPL/bars?format=csv&adjusted=true")
    assert "Last-Modified" not in adjusted.headers


def test_a_file_of_bars_is_whole_or_says_where_it_goes_on(program: Program) -> None:
    whole = program.call("GET", "/companies/AAPL/bars?format=csv")
    assert "Link" not in whole.headers
    # September has 19 sessions, October 21 without those of the storm, November 21.
    assert len(whole.get_data(as_text=True).splitlines()) == 1 + 61
    part = program.call("GET", "/companies/AAPL/bars?from=2012-11-27&format=csv&limit=2")
    assert part.headers["Link"] == '</api/v1/companies/AAPL/bars?from=2012-11-29&format=csv&limit=2>; rel="next"'
    assert [line[:10] for line in part.get_data(as_text=True).splitlines()[1:]] == ["2012-11-27", "2012-11-28"]


def test_lists_that_are_shown_newest_first_go_on_to_their_end(program: Program) -> None:
    program.site.house.orders(
        "2012-09-05,BUY,AAPL,1,670.00,0,USD 2012-09-05,BUY,AAPL,2,670.00,0,USD 2012-09-06,SELL,AAPL,1,676.00,0,USD"
    )
    with program.site.context.database.write() as connection:
        connection.execute(
            insert(Notification),
            [
                {
                    "user_id": connection.scalar(select(User.id).limit(1)), "type": "test", "level": "info",
                    "title": f"message {number}", "body": "", "created_at": datetime(2012, 11, number, tzinfo=UTC),
                    "dedupe_key": f"test:{number}",
                }
                for number in (1, 2, 3)
            ],
        )  # fmt: skip
    seen = {
        path: _walk(program, path)
        for path in ("/accounts/1/orders", "/accounts/1/payments?with_accruals=true", "/notifications")
    }
    assert [(one["trade_date"], one["quantity"]) for one in seen["/accounts/1/orders"]] == [
        ("2012-09-06", "1.00"),
        ("2012-09-05", "2.00"),
        ("2012-09-05", "1.00"),
        ("2012-09-04", None),
        ("2012-09-04", "20.00"),
    ]
    assert [one["leg"] for one in seen["/accounts/1/payments?with_accruals=true"]] == ["PAYMENT", "ACCRUAL"]
    titles = [one["title"] for one in seen["/notifications"]]
    assert [one for one in titles if one.startswith("message")] == ["message 3", "message 2", "message 1"]
    assert len(titles) == len({one["id"] for one in seen["/notifications"]})
    assert program.get("/accounts/1/orders?before=999999") == {"items": [], "next": None}


def test_corporate_actions_go_on_by_ex_date(program: Program) -> None:
    house = program.site.house
    for day, *more in (("2012-10-01",), ("2012-09-17",), ("2012-10-01", "--second")):
        told = house.command(*f"actions add AAPL cash_special --ex-date {day} --amount 0.05 --why told".split(), *more)
        assert told.exit_code == 0, told.output
    listed = program.get("/corporate-actions?from=2012-01-01")["items"]
    assert [one["ex_date"] for one in listed] == ["2012-09-17", "2012-10-01", "2012-10-01", "2012-11-07"]
    whole = [one["id"] for one in listed]
    assert [one["id"] for one in _walk(program, "/corporate-actions?from=2012-01-01")] == whole


def _walk(program: Program, path: str) -> list[dict[str, Any]]:
    """Everything of a list, one thing at a time."""
    found: list[dict[str, Any]] = []
    following = f"{path}{'&' if '?' in path else '?'}limit=1"
    while following:
        told = program.get(following.removeprefix("/api/v1"))
        assert len(told["items"]) == 1
        found += told["items"]
        following = told["next"]
    return found


def test_sessions_coverage_and_minutes(program: Program) -> None:
    told = program.get("/companies/AAPL/sessions?from=2012-11-21")
    assert [(one["date"], one["state"]) for one in told["items"]][:3] == [
        ("2012-11-21", "stored"),
        ("2012-11-23", "stored"),
        ("2012-11-26", "stored"),
    ]
    covered = program.get("/companies/AAPL/coverage")
    assert (covered["expected_count"], covered["stored_count"], covered["missing_count"]) == (61, 61, 0)
    assert program.get("/companies/AAPL/minutes") == {"items": [], "next": None}


def test_a_dividend_and_its_payment_explained(program: Program) -> None:
    [action] = program.get("/corporate-actions?symbol=AAPL")["items"]
    assert (action["amount"], action["ex_date"], action["is_held"]) == ("2.65", "2012-11-07", False)
    assert program.get(f"/corporate-actions/{action['id']}")["versions"][0]["actor"] == "yahoo"
    [account] = program.get("/accounts")["items"]
    [payment] = program.get(f"/accounts/{account['id']}/payments")["items"]
    assert (payment["quantity"], payment["gross"], payment["leg"]) == ("20.00", "53.00", "PAYMENT")
    explained = program.get(f"/payments/{payment['id']}")
    assert explained["payment"] == payment
    assert [one["quantity"] for one in explained["orders"]] == ["20.00"]
    [income] = program.get(f"/accounts/{account['id']}/income")["items"]
    assert (income["month"], income["symbol"], income["gross"]) == ("2012-11", "AAPL", "53.00")


def test_dividends_are_decided_on(program: Program) -> None:
    house = program.site.house
    house.command("accounts", "set", "Ann", "--dividends", "SUGGEST")
    house.orders("2012-09-04,BUY,IBM,10,195.00,0,USD")
    for words in ("CASH --ex-date 2012-11-07", "SCRIP --ex-date 2013-02-06 --scrip-price 190"):
        more = f"{words} --amount 0.85 --currency USD --why told".split()
        assert house.command("actions", "add", "IBM", *more).exit_code == 0
    [suggested] = program.get("/accounts/1/suggestions")["items"]
    assert (suggested["symbol"], suggested["net"], suggested["decision"]) == ("IBM", "8.50", None)
    path = f"/accounts/1/suggestions/{suggested['action_id']}"
    decided = program.call("POST", path, scope="operate", json={"decision": "accept"}).get_json()
    assert (decided["action_id"], decided["decision"]) == (suggested["action_id"], "accepted")
    assert program.get("/accounts/1/suggestions")["items"] == []
    [kept] = program.get("/accounts/1/suggestions?with_decided=true")["items"]
    assert kept["decision"] == "accepted"
    assert program.problem("POST", path, json={"decision": "accept"})[0] == 403
    status, told = program.problem("POST", f"{path}9", scope="operate", json={"decision": "accept"})
    assert (status, "nothing is suggested to Ann" in told) == (422, True)
    assert program.problem("POST", path, scope="operate", json={"decision": "maybe"})[0] == 422

    [election] = program.get("/accounts/1/elections")["items"]
    assert (election["symbol"], election["price"], election["choice"]) == ("IBM", "190.00", "cash")
    path = f"/accounts/1/elections/{election['action_id']}"
    chosen = program.call("POST", path, scope="operate", json={"choice": "shares"}).get_json()
    assert (chosen["choice"], chosen["is_standing"]) == ("shares", False)

    house.command("books", "withhold", "US", "0.25", "--since", "2012-01-01", "--account", "Ann")
    ask = {"scope": "operate", "json": {"dry_run": True}}
    rated = program.call("POST", "/payments/2/rerate", **ask).get_json()
    assert [(leg["leg"], leg["after"]["tax"], leg["after"]["net"]) for leg in rated["legs"]] == [
        ("ACCRUAL", "13.25", "39.75"),
        ("PAYMENT", "13.25", "39.75"),
    ]
    assert program.problem("POST", "/payments/2/rerate", scope="operate", json={})[0] == 422
    assert program.problem("POST", "/payments/99/rerate", scope="operate", json={"why": "x"})[0] == 404


def test_positions_and_value(program: Program) -> None:
    [account] = program.get("/accounts")["items"]
    [position] = program.get(f"/accounts/{account['id']}/positions")["positions"]
    # 20 x 585.28; the fee is no part of the cost.
    assert (position["market_value"], position["cost"]) == ("11705.60", "13500.00")
    values = program.get(f"/accounts/{account['id']}/values?from=2012-11-01")["items"]
    assert values[-1]["date"] == "2012-11-30"
    assert program.get(f"/accounts/{account['id']}/dividends")["items"] == []


def test_an_order_is_entered_once_and_deleted(program: Program) -> None:
    [account] = program.get("/accounts")["items"]
    path = f"/accounts/{account['id']}/orders"
    order = {"type": "BUY", "trade_date": "2012-11-29", "symbol": "aapl", "quantity": "1.5", "price": "589.36",
             "currency": "USD", "key": "mine-1"}  # fmt: skip
    assert program.problem("POST", path, json=order)[0] == 403
    made = program.call("POST", path, scope="operate", json=order)
    assert made.status_code == 201, made.get_data(as_text=True)
    told = made.get_json()
    assert (told["symbol"], told["quantity"], told["source"], told["entered_by"]) == (
        "AAPL", "1.50", "api", "token:operate",
    )  # fmt: skip
    assert program.problem("POST", path, scope="operate", json=order) == (
        422,
        "an order with the key 'mine-1' is in account Ann already",
    )
    assert program.get(f"{path}?symbol=AAPL")["items"][0]["id"] == told["id"]

    gone = program.call("DELETE", f"{path}/{told['id']}", scope="operate")
    assert (gone.status_code, gone.get_json()["deleted_by"]) == (200, "token:operate")
    assert program.problem("DELETE", f"{path}/{told['id']}", scope="operate")[0] == 422
    assert len(program.site.house.rows(Order)) == 3


def test_what_is_wrong_with_an_order_is_told_and_nothing_is_stored(program: Program) -> None:
    [account] = program.get("/accounts")["items"]
    path = f"/accounts/{account['id']}/orders"
    base = {
        "type": "SELL",
        "trade_date": "2012-11-29",
        "symbol": "AAPL",
        "quantity": "21",
        "price": "589",
        "currency": "USD",
    }
    wrong = [
        (base, "20"),
        ({**base, "type": "GIFT"}, "type: "),
        ({**base, "trade_date": "2012-13-01"}, "trade_date: "),
        ({**base, "quantity": "1e400"}, "quantity"),
        ({**base, "quantity": "many"}, "quantity: "),
        ({**base, "trade_date": "2012-12-03"}, "future"),
        ({**base, "colour": "red"}, "colour: "),
    ]
    for body, words in wrong:
        status, detail = program.problem("POST", path, scope="operate", json=body)
        assert (status, words in detail) == (422, True), detail
    assert program.problem("POST", path, scope="operate", data="{", content_type="application/json")[0] == 400
    assert program.problem("POST", path, scope="operate", data=b"x" * 70_000, content_type="application/json")[0] == 413
    assert len(program.site.house.rows(Order)) == 2


def test_what_is_not_there_is_not_found(program: Program) -> None:
    for path in ("/companies/NOPE", "/companies/NOPE/bars", "/accounts/99", "/accounts/99/orders", "/payments/99",
                 "/corporate-actions/99", "/runs/99", "/nothing", "/accounts/99999999999999999999"):  # fmt: skip
        assert program.problem("GET", path)[0] == 404, path
    assert program.problem("DELETE", "/companies", scope="operate")[0] == 405
    assert program.problem("DELETE", "/accounts/1/orders/99", scope="operate")[0] == 404


def test_runs_with_what_became_of_each_company(program: Program) -> None:
    runs = program.get("/runs?limit=1")
    assert len(runs["items"]) == 1
    [daily] = program.get("/runs?job_name=daily_price_update")["items"]
    detail = program.get(f"/runs/{daily['id']}")
    assert [(one["symbol"], one["outcome"]) for one in detail["items"]] == [("AAPL", "stored")]
    every = [run["requests_by_provider"].get("yahoo", 0) for run in program.get("/runs")["items"]]
    assert detail["run"]["requests_by_provider"] == {"yahoo": every[-1]}
    assert sum(every) == program.site.house.market.request_count > 0
    assert {one["id"] for one in program.get("/jobs")["items"]} >= {"daily_price_update", "dividend_processor"}
    assert program.get("/notifications")["next"] is None


def test_bad_questions_are_told_what_is_wrong(program: Program) -> None:
    for path, words in (
        ("/companies?limit=0", "limit: "),
        ("/companies/AAPL/bars?from=yesterday", "from: "),
        ("/companies/AAPL/bars?format=xml", "format: "),
        ("/runs?since=yesterday", "since: "),
    ):
        status, detail = program.problem("GET", path)
        assert (status, detail.startswith(words)) == (422, True), detail


def test_the_document_has_no_part_that_nothing_in_it_points_at(program: Program) -> None:
    told = program.get("/openapi.json")
    used = set(re.findall(r'"#/components/([a-z]+/[A-Za-z_]+)"', json.dumps(told)))
    there = {f"{kind}/{name}" for kind, parts in told["components"].items() for name in parts}
    # What is asked for on every route is named, not pointed at.
    assert there - used == {"securitySchemes/token"}
    assert used - there == set()
    assert {"schemas/Error", "schemas/PaginationMetadata"} & there == set()


def test_the_document_and_its_page_name_every_address(program: Program) -> None:
    told = program.get("/openapi.json")
    addresses = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, operations in told["paths"].items()
        for method in operations
        if method != "parameters"
    }
    documented = re.findall(r"^\| `((?:GET|POST|DELETE) [^`]+)` \|", (DOCS / "api.md").read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(addresses)
    page = program.site.as_("member").text("/api-documentation")
    for address in addresses:
        assert address.partition(" ")[2] in page, address
