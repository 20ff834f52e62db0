"""The commands as people use them: exit codes, output that other programs read, and refusals that say what to do."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from closingbell.models import Account, Company, JobLog, Order, PriceHistory
from tests.app_fixtures import HEADER, SYMBOLS, House, everything, run_closingbell


def first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""


# --- refresh-prices and run-daily-price-update.


def test_success_is_exit_code_0(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-11-29")

    result = house.command("run-daily-price-update")

    assert result.exit_code == 0
    assert first_line(result.stdout) == "SUCCESS: 4 of 4 expected closes up to 2012-11-30 stored"
    assert "successful 2, failed 0, skipped 0, unchanged 0; 4 bars stored, 0 changed" in result.stdout


def test_failure_is_exit_code_1(house: House) -> None:
    house.hold("AAPL", since="2012-11-29")
    house.market.misbehave("AAPL", "not_found")

    result = house.command("run-daily-price-update")

    assert result.exit_code == 1
    assert first_line(result.stdout) == "FAILED: 0 of 2 expected closes up to 2012-11-30 stored, 1 symbol_unknown"
    assert "AAPL: Yahoo does not know this symbol" in result.stderr


def test_partial_success_is_exit_code_3(house: House) -> None:
    house.hold("AAPL", "NOPE", since="2012-11-29")

    result = house.command("refresh-prices")

    assert result.exit_code == 3
    assert first_line(result.stdout).startswith("PARTIAL: 2 of 4 expected closes")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--date", "2012-10-29"], "error: 2012-10-29: XNYS was closed"),
        (["--date", "2012-12-03"], "error: 2012-12-03: XNYS has not closed yet; ask again after the close"),
        (["--symbols", "ABC.XYZ"], "error: ABC.XYZ: no exchange is known for the suffix .XYZ"),
        (["--date", "yesterday"], "'yesterday' is not a date; write YYYY-MM-DD"),
        (["--symbols", " , "], "name at least one symbol, as in --symbols AAPL,MSFT"),
        (["--what"], "No such option"),
    ],
)
def test_wrong_question_is_exit_code_2_and_no_run(house: House, arguments: list[str], words: str) -> None:
    house.hold("AAPL", since="2012-10-01")

    result = house.command("refresh-prices", *arguments)

    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert house.rows(JobLog) == []
    assert house.charts() == []


def test_dry_run_prints_the_plan_and_asks_nobody(house: House) -> None:
    house.hold("AAPL", "IBM", since="2012-11-26")
    before = everything(house.context.database.engine, without=("market_session", "market_calendar", "database_mark"))

    result = house.command("refresh-prices", "--dry-run")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "AAPL  2012-11-26 to 2012-11-30: 5 missing",
        "IBM  2012-11-26 to 2012-11-30: 5 missing",
        "would send 2 requests",
    ]
    assert house.market.request_count == 0
    after = everything(house.context.database.engine, without=("market_session", "market_calendar", "database_mark"))
    assert after == before


def test_dry_run_as_json(house: House) -> None:
    house.hold("AAPL", since="2012-11-29")

    result = house.command("run-daily-price-update", "--dry-run", "--format", "json")

    assert json.loads(result.stdout) == [
        {"symbol": "AAPL", "first": "2012-11-29", "wanted": ["2012-11-29", "2012-11-30"], "by_quote": False}
    ]


def test_summary_as_json(house: House) -> None:
    house.hold("AAPL", "NOPE", since="2012-11-29")

    result = house.command("refresh-prices", "--format", "json")

    summary = json.loads(result.stdout)
    assert result.exit_code == 3
    assert (summary["status"], summary["expected_count"], summary["covered_count"]) == ("PARTIAL", 4, 2)
    items = {item["symbol"]: item for item in summary["items"]}
    assert (items["AAPL"]["outcome"], items["AAPL"]["stored_count"]) == ("stored", 2)
    assert (items["NOPE"]["outcome"], items["NOPE"]["error_kind"]) == ("failed", "symbol_unknown")


def test_chosen_symbols_in_any_case(house: House) -> None:
    result = house.command("refresh-prices", "--symbols", "ibm, Msft,IBM")

    assert result.exit_code == 0
    assert sorted(house.charts()) == [("IBM",), ("MSFT",)]


def test_what_needs_nothing_is_skipped_in_words(house: House) -> None:
    house.hold("AAPL", since="2012-11-26")
    house.run()

    result = house.command("refresh-prices", "--symbols", "AAPL", "--date", "2012-11-27")

    assert result.exit_code == 0
    assert "skipped 1" in result.stdout
    assert "skipped AAPL: complete and settled; --force asks again" in result.stdout


# --- import-orders.


@pytest.fixture
def importing(house: House, tmp_path: Path) -> Callable[..., Any]:
    """Imports lines (or a whole file's bytes) with the command."""

    def run(lines: str | bytes, *options: str, account: str = "Ann") -> Any:
        file = tmp_path / "orders.csv"
        file.write_bytes(lines if isinstance(lines, bytes) else (HEADER + lines).encode())
        return house.command("import-orders", str(file), "--account", account, *options)

    return run


def test_orders_are_added_with_their_account_and_companies(house: House, importing: Callable[..., Any]) -> None:
    result = importing("2012-11-29,BUY,AAPL,10,589.36,4.95,USD\n2012-11-30,SELL,AAPL,2.5,585.28,0,USD\n")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "added 2 orders to account Ann (new); 0 were there",
        "new companies: AAPL",
    ]
    buy, sell = house.rows(Order)
    assert (buy.type, buy.quantity, buy.price, buy.fee) == ("BUY", Decimal(10), Decimal("589.36"), Decimal("4.95"))
    assert (sell.type, sell.quantity) == ("SELL", Decimal("2.5"))
    # Executed at the close of its session where no time is given.
    assert buy.executed_at.isoformat() == "2012-11-29T21:00:00+00:00"


def test_bad_lines_are_named_by_number_and_nothing_is_imported(house: House, importing: Callable[..., Any]) -> None:
    result = importing(
        "2012-11-29,BUY,AAPL,10,589.36,4.95,USD\n"
        "2012-11-31,BUY,AAPL,10,589.36,0,USD\n"
        "2012-11-29,HOLD,AAPL,10,589.36,0,USD\n"
        "2012-11-29,BUY,AAPL,-10,589.36,0,USD\n"
        "2012-11-29,BUY,AAPL,ten,589.36,0,USD\n"
        "2012-12-03,BUY,AAPL,10,589.36,0,USD\n"
        "2012-11-29,BUY,ABC.XYZ,10,589.36,0,USD\n"
        "2012-11-29,BUY,AAPL,10,589.36,0,DOLLAR\n"
        "2012-11-29,BUY,AAPL,10,589.36,-1,USD\n"
        "2012-11-29,BUY,AAPL,10,589.36,0,USD,extra\n"
        "2012-11-29,BUY,A/B,10,589.36,0,USD\n"
        "2012-11-29,BUY,AAPL,10,0.0000001,0,USD\n"
        "2012-11-29,BUY,AAPL,99999999999,1,0,USD\n"
    )

    assert result.exit_code == 1
    assert sorted(result.stderr.splitlines(), key=_line_number) == [
        "line 3: date '2012-11-31' is not a date; write YYYY-MM-DD | 2012-11-31,BUY,AAPL,10,589.36,0,USD",
        "line 4: type 'HOLD' is not one of BUY, SELL, DEPOSIT, WITHDRAWAL, TRANSFER_IN, TRANSFER_OUT, DIVIDEND,"
        " CAPITAL_GAIN, CAPITAL_RETURN, INTEREST, FEE, TAX, CONVERSION | 2012-11-29,HOLD,AAPL,10,589.36,0,USD",
        "line 5: quantity must be above zero; the type says whether shares come or go"
        " | 2012-11-29,BUY,AAPL,-10,589.36,0,USD",
        "line 6: quantity: 'ten' is not a number | 2012-11-29,BUY,AAPL,ten,589.36,0,USD",
        "line 7: the date 2012-12-03 lies in the future",
        "line 8: ABC.XYZ: no exchange is known for the suffix .XYZ",
        "line 9: currency 'DOLLAR' is not three letters, as in USD | 2012-11-29,BUY,AAPL,10,589.36,0,DOLLAR",
        "line 10: fee must not be negative | 2012-11-29,BUY,AAPL,10,589.36,-1,USD",
        "line 11: 8 fields where the header has 7 | 2012-11-29,BUY,AAPL,10,589.36,0,USD,extra",
        "line 12: symbol 'A/B' is not a symbol, as in AAPL or VOD.L | 2012-11-29,BUY,A/B,10,589.36,0,USD",
        "line 13: price: 0.0000001 has more than 6 decimals | 2012-11-29,BUY,AAPL,10,0.0000001,0,USD",
        "line 14: quantity: 99999999999 is too large for a column with 10 decimals"
        " | 2012-11-29,BUY,AAPL,99999999999,1,0,USD",
        "error: nothing was imported: 12 bad line(s)",
    ]
    assert (house.rows(Order), house.rows(Account), house.rows(Company)) == ([], [], [])


def _line_number(line: str) -> int:
    words = line.replace(":", "").split()
    return int(words[1]) if words[0] == "line" else 99


def test_identical_lines_are_two_orders(house: House, importing: Callable[..., Any]) -> None:
    line = "2012-11-29,BUY,AAPL,10,589.36,4.95,USD\n"

    assert importing(line + line).exit_code == 0

    assert len(house.rows(Order)) == 2


def test_same_file_twice_adds_nothing(house: House, importing: Callable[..., Any]) -> None:
    lines = "2012-11-29,BUY,AAPL,10,589.36,4.95,USD\n" * 2 + "2012-11-29,DEPOSIT,,,1000,0,USD\n"
    importing(lines)

    result = importing(lines)

    assert first_line(result.stdout) == "added 0 orders to account Ann; 3 were there"
    assert len(house.rows(Order)) == 3


def test_overlapping_file_adds_only_what_is_new(house: House, importing: Callable[..., Any]) -> None:
    importing("2012-11-28,BUY,AAPL,10,582.94,0,USD\n2012-11-29,BUY,AAPL,10,589.36,4.95,USD\n")

    result = importing(
        # The same line, its numbers typed otherwise, and a third identical one that is new.
        "2012-11-29,buy,aapl,10.00,589.360,4.950,usd\n"
        "2012-11-29,BUY,AAPL,10,589.36,4.95,USD\n"
        "2012-11-30,SELL,AAPL,5,585.28,0,USD\n"
    )

    assert first_line(result.stdout) == "added 2 orders to account Ann; 1 were there"
    assert len(house.rows(Order)) == 4


def test_same_lines_in_another_account_are_other_orders(house: House, importing: Callable[..., Any]) -> None:
    importing("2012-11-29,BUY,AAPL,10,589.36,4.95,USD\n", account="Ann")
    importing("2012-11-29,BUY,AAPL,10,589.36,4.95,USD\n", account="Ben")

    assert [account.name for account in house.rows(Account)] == ["Ann", "Ben"]
    assert len(house.rows(Order)) == 2


def test_import_that_is_only_tried_changes_nothing(house: House, importing: Callable[..., Any]) -> None:
    result = importing("2012-11-29,BUY,AAPL,10,589.36,4.95,USD\n", "--dry-run", "--format", "json")

    assert json.loads(result.stdout) == {
        "account": "Ann",
        "is_new_account": True,
        "added_count": 1,
        "known_count": 0,
        "new_symbols": ["AAPL"],
        "remarks": [],
    }
    assert (house.rows(Order), house.rows(Account), house.rows(Company)) == ([], [], [])


def test_byte_order_mark_is_no_part_of_the_heading(house: House, importing: Callable[..., Any]) -> None:
    file = ("\ufeff" + HEADER + "2012-11-29,BUY,AAPL,10,589.36,0,USD\n").encode()

    assert importing(file).exit_code == 0


def test_windows_line_ends_and_empty_lines(house: House, importing: Callable[..., Any]) -> None:
    file = (HEADER + "2012-11-29,BUY,AAPL,10,589.36,0,USD\n\n,,,,,,\n").replace("\n", "\r\n").encode()

    assert first_line(importing(file).stdout) == "added 1 order to account Ann (new); 0 were there"


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (HEADER.replace(",", ";").encode(), "line 1: fields are separated by semicolons"),
        (b"date,type,symbol\n", "line 1: the columns quantity, price, fee, currency are missing"),
        (b"", "the file is empty"),
        (HEADER.encode(), "the file holds no orders"),
        ("date,type,symbol,quantity,price,fee,currency,Gebühr\n".encode("latin-1"), "is not UTF-8 text"),
        (b"\x00\x01\x02\xff\xfe", "is not UTF-8 text"),
        ((HEADER + '2012-11-29,BUY,"AAPL,10,589.36,0,USD\n').encode(), "line 2"),
        ((HEADER + "2012-11-29,BUY,AA\x00PL,10,589.36,0,USD\n").encode(), "line 2"),
        (HEADER.encode() + b"2012-11-29,BUY," + b"A" * 200_000 + b",1,1,0,USD\n", "line 2"),
    ],
)
def test_file_of_another_form_is_refused_in_words(
    house: House, importing: Callable[..., Any], file: bytes, words: str
) -> None:
    result = importing(file)

    assert result.exit_code == 1
    assert words in result.stderr
    assert house.rows(Order) == []


@pytest.mark.parametrize(
    ("line", "amount"),
    [
        ("2012-11-29,DEPOSIT,,,1000.50,0,USD", "1000.5"),
        ("2012-11-29,DEPOSIT,,1,1000.50,0,USD", "1000.5"),
        ("2012-11-29,DEPOSIT,,1000.50,1,0,USD", "1000.5"),
        ("2012-11-29,DEPOSIT,,1000.50,,0,USD", "1000.5"),
        ("2012-11-29,WITHDRAWAL,,,20,,USD", "2E+1"),
    ],
)
def test_cash_moves_in_every_form(house: House, importing: Callable[..., Any], line: str, amount: str) -> None:
    assert importing(line + "\n").exit_code == 0

    [order] = house.rows(Order)
    assert (order.company_id, order.quantity, order.price) == (None, None, None)
    assert str(order.amount.normalize()) == amount


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("2012-11-29,DEPOSIT,AAPL,,10,0,USD", "a DEPOSIT moves cash: leave the symbol empty"),
        ("2012-11-29,DEPOSIT,,,,0,USD", "price must hold the amount"),
        ("2012-11-29,DEPOSIT,,,-5,0,USD", "the amount must be above zero"),
        ("2012-11-29,WITHDRAWAL,,,0,0,USD", "the amount must be above zero"),
        ("2012-11-29,DEPOSIT,,99999999999,99999999999,0,USD", "too large"),
        ("2012-11-29,DEPOSIT,,0.01,0.001,0,USD", "more than 4 decimals"),
    ],
)
def test_cash_move_that_cannot_be_is_refused(
    house: House, importing: Callable[..., Any], line: str, words: str
) -> None:
    result = importing(line + "\n")

    assert result.exit_code == 1
    assert result.stderr.startswith("line 2: ")
    assert words in result.stderr


def test_trade_on_a_closed_day_is_kept_with_a_remark(house: House, importing: Callable[..., Any]) -> None:
    result = importing("2012-10-29,BUY,AAPL,10,600,0,USD\n")

    assert result.exit_code == 0
    assert result.stderr == "note: line 2: XNYS was closed on 2012-10-29: counted at the next close\n"
    [order] = house.rows(Order)
    assert order.executed_at.isoformat() == "2012-10-31T20:00:00+00:00"


def test_time_of_an_order_needs_its_offset(house: House, tmp_path: Path) -> None:
    file = tmp_path / "timed.csv"
    heading = HEADER.strip() + ",executed_at\n"
    file.write_text(heading + "2012-11-29,BUY,AAPL,10,589.36,0,USD,2012-11-29T10:00:00\n")
    refused = house.command("import-orders", str(file), "--account", "Ann")
    assert "is not a time with its offset, as in 2012-09-04T10:30:00-04:00" in refused.stderr

    file.write_text(heading + "2012-11-29,BUY,AAPL,10,589.36,0,USD,2012-11-29T10:00:00-05:00\n")
    assert house.command("import-orders", str(file), "--account", "Ann").exit_code == 0
    assert [order.executed_at.isoformat() for order in house.rows(Order)] == ["2012-11-29T15:00:00+00:00"]


# --- export.


def test_prices_as_csv(house: House) -> None:
    house.hold("AAPL", since="2012-11-29")
    house.run()

    result = house.command("export", "prices")

    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert result.exit_code == 0
    assert [
        (row["symbol"], row["date"], row["close"], row["volume"], row["currency"], row["state"]) for row in rows
    ] == [
        ("AAPL", "2012-11-29", "589.36", "18382100", "USD", "settled"),
        ("AAPL", "2012-11-30", "585.28", "13975700", "USD", "provisional"),
    ]


def test_prices_as_json_within_dates(house: House) -> None:
    house.hold(*SYMBOLS, since="2012-11-26")
    house.run()

    result = house.command(
        "export", "prices", "--format", "json", "--symbols", "ibm,fb", "--from", "2012-11-29", "--to", "2012-11-29"
    )

    rows = json.loads(result.stdout)
    assert [(row["symbol"], row["date"], row["close"]) for row in rows] == [
        ("FB", "2012-11-29", "27.32"),
        ("IBM", "2012-11-29", "191.53"),
    ]


@pytest.mark.parametrize("what", ["prices", "orders", "positions", "runs", "actions"])
def test_nothing_to_export_is_a_heading_or_an_empty_list(house: House, what: str) -> None:
    assert len(house.command("export", what).stdout.splitlines()) == 1
    assert json.loads(house.command("export", what, "--format", "json").stdout) == []


def test_cell_that_a_spreadsheet_would_run_is_defused(house: House) -> None:
    evil = "=cmd|' /C calc'!A0"
    house.orders("2012-11-29,BUY,AAPL,10,589.36,0,USD", account=evil)
    house.orders("2012-11-29,SELL,AAPL,4,589.36,0,USD", account=evil)

    orders = list(csv.DictReader(io.StringIO(house.command("export", "orders").stdout)))
    positions = list(csv.DictReader(io.StringIO(house.command("export", "positions").stdout)))

    assert {row["account"] for row in orders + positions} == {"'=cmd|' /C calc'!A0"}
    assert positions[0]["quantity"] == "6.00"
    as_json = json.loads(house.command("export", "orders", "--format", "json").stdout)
    assert as_json[0]["account"] == evil


def test_positions_are_in_the_shares_of_their_date(house: House) -> None:
    house.at("2005-03-01 16:31").hold("AAPL", since="2005-02-24")
    house.run()

    def quantity(on: str) -> str:
        [row] = json.loads(house.command("export", "positions", "--format", "json", "--to", on).stdout)
        return str(row["quantity"])

    assert (quantity("2005-02-25"), quantity("2005-02-28")) == ("10.00", "20.00")


def test_unknown_symbol_is_named(house: House) -> None:
    result = house.command("export", "prices", "--symbols", "AAPL,NOPE")

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == "error: no company of that symbol is known here: AAPL, NOPE\n"


def test_dates_the_wrong_way_round_are_refused(house: House) -> None:
    result = house.command("export", "prices", "--from", "2012-11-30", "--to", "2012-11-29")

    assert result.exit_code == 2
    assert result.stderr == "error: --from 2012-11-30 lies after --to 2012-11-29\n"


def test_runs_and_actions_are_exported(house: House) -> None:
    house.hold("AAPL", since="2012-11-01")
    house.run()

    [run] = json.loads(house.command("export", "runs", "--format", "json").stdout)
    [action] = json.loads(house.command("export", "actions", "--format", "json").stdout)

    assert (run["job_name"], run["status"], run["stocks_processed"]) == ("daily_price_update", "SUCCESS", 1)
    assert (action["symbol"], action["kind"], action["ex_date"], action["amount"]) == (
        "AAPL",
        "CASH",
        "2012-11-07",
        "2.65",
    )


def test_export_of_a_decade_comes_row_by_row(house: House) -> None:
    house.hold("MSFT", since="2000-03-01")
    house.run()

    lines = house.command("export", "prices").stdout.splitlines()

    assert len(lines) == 3210
    assert lines[1].startswith("MSFT,2000-03-01,89.62,94.09,88.94,90.81,")


# --- view-job-logs.


def test_runs_are_shown_newest_first_with_their_errors(house: House) -> None:
    house.hold("AAPL", "NOPE", since="2012-11-29")
    house.run()
    house.at("2012-12-03 16:31").refresh("IBM")

    result = house.command("view-job-logs")
    as_json = json.loads(house.command("view-job-logs", "--format", "json").stdout)

    assert result.exit_code == 0
    assert "NOPE: Yahoo does not know this symbol" in result.stdout
    assert [run["job_name"] for run in as_json] == ["refresh_prices", "daily_price_update"]
    assert [run["status"] for run in as_json] == ["SUCCESS", "PARTIAL"]
    assert len(json.loads(house.command("view-job-logs", "--limit", "1", "--format", "json").stdout)) == 1
    chosen = house.command("view-job-logs", "--job-name", "daily_price_update", "--format", "json")
    assert [run["job_name"] for run in json.loads(chosen.stdout)] == ["daily_price_update"]


def test_no_run_yet_says_how_to_start_one(house: House) -> None:
    assert "closingbell run-daily-price-update" in house.command("view-job-logs").stdout
    assert "no run of nothing yet" in house.command("view-job-logs", "--job-name", "nothing").stdout


# --- The real thing, in a process of its own, once on each database.


@pytest.mark.one_database
def test_commands_in_a_process_of_their_own(database_url: str, houses: Callable[..., House], tmp_path: Path) -> None:
    house = houses(database_url, "2012-11-30 16:31")
    (tmp_path / "orders.csv").write_text(HEADER + "2012-11-29,BUY,AAPL,10,589.36,0,USD\n")

    early = house.process("run-daily-price-update")
    assert (early.returncode, early.stderr) == (1, "error: the database has no tables yet; run: closingbell init-db\n")
    assert house.process("init-db").stdout.endswith(": tables are ready\n")
    assert house.process("init-db").stdout.endswith(": already up to date\n")
    assert house.process("import-orders", "orders.csv", "--account", "Ann").returncode == 0
    ran = house.process("run-daily-price-update")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert house.closes("AAPL") == {"2012-11-29": "589.36", "2012-11-30": "585.28"}
    exported = house.process("export", "prices", "--to", "2012-11-29")
    assert exported.stdout.splitlines()[1].startswith(
        "AAPL,2012-11-29,590.215,594.25,585.25,589.36,18382100,USD,settled"
    )


# --- Live and replayed data, and settings that are wrong.


@pytest.mark.one_database
def test_live_fetch_into_a_replayed_database_refuses(house: House, tmp_path: Path) -> None:
    house.hold("AAPL", since="2012-11-29")
    house.run()
    before = everything(house.context.database.engine)
    live = house.environment()
    for name in ("YAHOO_BASE_URL", "CLOSINGBELL_NOW"):
        live.pop(name)

    for command in (
        ["run-daily-price-update"],
        ["refresh-prices", "--symbols", "AAPL"],
        ["refresh-prices", "--dry-run"],
    ):
        result = run_closingbell(*command, env=live, cwd=tmp_path)
        assert result.returncode == 1
        assert result.stderr.startswith("error: this database holds a replayed market, and live data must not be mixed")
        assert "closingbell init-db" in result.stderr
    assert everything(house.context.database.engine) == before


def test_replay_into_a_live_database_refuses(house: House) -> None:
    with house.context.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO database_mark (name, value, marked_at) VALUES ('origin', 'live', '2012-11-30 00:00:00')"
        )

    result = house.command("run-daily-price-update")

    assert result.exit_code == 1
    assert result.stderr.startswith("error: this database holds live data, and a replay must not be mixed with it.")
    assert house.rows(PriceHistory, order="date") == []
    assert house.rows(JobLog) == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL: not a database address"),
        ({"DATABASE_URL": "oracle://x/y"}, "DATABASE_URL: oracle is not one of sqlite, mysql, mariadb, postgresql"),
        ({"DATABASE_URL": "sqlite:////proc/nowhere/x.sqlite"}, "DATABASE_URL: cannot make the folder /proc/nowhere"),
        ({"YAHOO_TIMEOUT_S": "soon"}, "YAHOO_TIMEOUT_S: "),
        ({"YAHOO_TIMEOUT_S": "0"}, "YAHOO_TIMEOUT_S: "),
        ({"YAHOO_REQUESTS_PER_MINUTE": "-1"}, "YAHOO_REQUESTS_PER_MINUTE: "),
        ({"YAHOO_CONCURRENCY": "many"}, "YAHOO_CONCURRENCY: "),
        ({"YAHOO_BASE_URL": "https://x"}, "YAHOO_BASE_URL: must start with http://"),
        ({"CLOSINGBELL_NOW": "2012-11-30T16:31"}, "CLOSINGBELL_NOW: "),
        ({"YAHOO_BASE_URL": "", "CLOSINGBELL_NOW": "2012-11-30T16:31-05:00"}, "CLOSINGBELL_NOW: needs YAHOO_BASE_URL"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL: must be DEBUG, INFO, WARNING or ERROR"),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT: must be text or json"),
        ({"JOBS_ENABLED": "perhaps"}, "JOBS_ENABLED: "),
        ({"DATABASE_URL_FILE": "/nowhere"}, "DATABASE_URL and DATABASE_URL_FILE are both set; keep one"),
        ({"DATABASE_URL": "", "DATABASE_URL_FILE": "/nowhere"}, "DATABASE_URL_FILE: cannot read /nowhere"),
    ],
)
def test_wrong_setting_is_named_on_one_line(
    sqlite_url: str, houses: Callable[..., House], settings: dict[str, str], words: str
) -> None:
    house = houses(sqlite_url, "2012-11-30 16:31")

    result = house.process("view-job-logs", **settings)

    assert result.returncode == 2
    assert words in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


def test_setting_from_a_file(sqlite_url: str, houses: Callable[..., House], tmp_path: Path) -> None:
    house = houses(sqlite_url, "2012-11-30 16:31")
    (tmp_path / "secret").write_text(f"sqlite:///{tmp_path}/elsewhere.sqlite\n")

    result = house.process("init-db", DATABASE_URL="", DATABASE_URL_FILE=str(tmp_path / "secret"))

    assert result.returncode == 0
    assert (tmp_path / "elsewhere.sqlite").exists()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:pa55word@127.0.0.1:1/none",
        "mysql://ann:pa55word@127.0.0.1:1/none",
    ],
)
def test_server_that_does_not_answer_is_one_line_without_the_password(
    sqlite_url: str, houses: Callable[..., House], url: str
) -> None:
    house = houses(sqlite_url, "2012-11-30 16:31")

    result = house.process("view-job-logs", DATABASE_URL=url)

    assert result.returncode != 0
    assert "pa55word" not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert "127.0.0.1" in result.stderr


def test_password_is_never_shown(sqlite_url: str, houses: Callable[..., House]) -> None:
    house = houses(sqlite_url, "2012-11-30 16:31")

    result = house.process("init-db", DATABASE_URL="postgresql://ann:pa55word@127.0.0.1:1/none")

    assert "pa55word" not in result.stdout + result.stderr
