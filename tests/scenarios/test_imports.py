"""Brokers' files from the command to the books: what is stored, what is told, and that nothing comes twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import Result

from closingbell.models import Account, AccountSymbol, Company, LedgerEntry, Order
from tests.app_fixtures import House

SCHWAB = "Date,Action,Symbol,Description,Quantity,Price,Fees & Comm,Amount\n"
FREETRADE_MAP = ("--map", "GB00BLDYK618=SMT.L")


@pytest.fixture
def house(tables_url: str, houses: Callable[..., House], no_waits: None) -> House:
    """A house on each database, late enough for every file."""
    return houses(tables_url, "2026-01-30 16:31")


@pytest.fixture
def importing(house: House, tmp_path: Path) -> Callable[..., Result]:
    """Imports text, bytes or a file with the command."""

    def run(file: str | bytes | Path, *options: str, account: str = "Ann") -> Result:
        if isinstance(file, str | bytes):
            data, file = (file.encode() if isinstance(file, str) else file), tmp_path / "file"
            file.write_bytes(data)
        return house.command("import", str(file), "--account", account, *options)

    return run


def cash(house: House, account: str = "Ann") -> dict[str, Decimal]:
    """The account's cash by currency, as the ledger holds it."""
    account_id = next(row.id for row in house.rows(Account) if row.name == account)
    sums: dict[str, Decimal] = {}
    for entry in house.rows(LedgerEntry):
        if entry.account_id == account_id and entry.name == "Cash":
            sums[entry.currency] = sums.get(entry.currency, Decimal(0)) + entry.amount
    return {currency: amount.quantize(Decimal("0.01")) for currency, amount in sums.items() if amount}


def shares(house: House) -> dict[str, Decimal]:
    """Shares by symbol, from the orders as they are stored."""
    symbols = {row.id: row.symbol for row in house.rows(Company)}
    sums: dict[str, Decimal] = {}
    for order in house.rows(Order):
        if order.type in {"BUY", "SELL"}:
            signed = order.quantity if order.type == "BUY" else -order.quantity
            sums[symbols[order.company_id]] = sums.get(symbols[order.company_id], Decimal(0)) + signed
    return {symbol: amount for symbol, amount in sums.items() if amount}


def last_line(result: Result) -> str:
    return result.stderr.splitlines()[-1]


# --- A file with expected results; the others are cases of test_cases.py.


def test_own_columns_under_other_names_come_out_to_the_cent(
    house: House, importing: Callable[..., Result], shared_data: Path
) -> None:
    result = importing(shared_data / "imports" / "cgt_raw.csv", "--map", "FB=META")

    assert result.exit_code == 0, result.stderr
    assert "left out: line 10: a split" in result.stderr
    assert cash(house) == {"USD": Decimal("-28486.60")}
    # The file's split of AMZN is left out, so its one share is still one.
    assert shares(house) == {"AMZN": 1, "BABA": 30, "META": 119, "OPRA": 120}


# --- All or nothing, and nothing twice.


def test_one_line_that_is_not_known_stops_the_file_and_is_told_with_its_text(
    house: House, importing: Callable[..., Result]
) -> None:
    result = importing(SCHWAB + "01/02/2024,Buy,SPY,SPDR,1,$470.00,,-$470.00\n01/03/2024,Lottery,,A PRIZE,,,,$5.00\n")

    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "line 3: action 'Lottery' is not known | 01/03/2024,Lottery,,A PRIZE,,,,$5.00",
        "error: nothing was imported: 1 bad line(s)",
    ]
    assert (house.rows(Order), house.rows(Account), house.rows(Company)) == ([], [], [])


def test_the_line_can_be_left_out(house: House, importing: Callable[..., Result]) -> None:
    result = importing(
        SCHWAB + "01/02/2024,Buy,SPY,SPDR,1,$470.00,,-$470.00\n01/03/2024,Lottery,,A PRIZE,,,,$5.00\n",
        "--leave-out",
        "3",
    )

    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines() == ["left out: line 3: left out as asked"]
    assert result.stdout.splitlines() == [
        "schwab: added 1 order to account Ann (new); 0 were there, 1 left out, 0 doubtful",
        "1 BUY",
        "new companies: SPY",
    ]
    assert [order.type for order in house.rows(Order)] == ["BUY"]


@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("cgt_trading212_2024.csv", ()),
        ("schwab-export.csv", ("--leave-out", "104,120")),
        ("investir_freetrade.csv", FREETRADE_MAP),
    ],
)
def test_the_same_file_twice_adds_nothing(
    house: House, importing: Callable[..., Result], shared_data: Path, file: str, options: tuple[str, ...]
) -> None:
    path = shared_data / "imports" / file
    assert importing(path, *options).exit_code == 0
    before = [tuple(row) for row in house.rows(Order)], cash(house)

    result = importing(path, *options)

    assert result.exit_code == 0, result.stderr
    assert ": added 0 orders to account Ann; " in result.stdout
    assert ([tuple(row) for row in house.rows(Order)], cash(house)) == before


def test_overlapping_files_add_only_what_is_new(house: House, importing: Callable[..., Result]) -> None:
    rows = [
        "01/02/2024,Buy,SPY,SPDR,1,$470.00,,-$470.00\n" * 2,
        "01/03/2024,Qualified Dividend,SPY,SPDR,,,,$5.00\n01/03/2024,NRA Tax Adj,SPY,SPDR,,,,-$0.75\n",
        "01/04/2024,Sell,SPY,SPDR,1,$471.00,,$471.00\n",
    ]
    importing(SCHWAB + rows[0] + rows[1])

    result = importing(SCHWAB + rows[1] + rows[2] + rows[0])

    assert ": added 1 order to account Ann; 3 were there" in result.stdout
    assert cash(house) == {"USD": Decimal("-464.75")}


def test_trying_changes_nothing_and_shows_every_row(house: House, importing: Callable[..., Result]) -> None:
    file = SCHWAB + (
        "01/02/2024,Buy,SPY,SPDR,1,$470.00,$1.00,-$471.00\n"
        "01/06/2024,Buy,SPY,SPDR,1,$470.00,,-$475.00\n"
        "01/07/2024,Credit Interest,,INT,,,,$1.63\n"
        "01/08/2024,Stock Split,SPY,SPDR,9,,,\n"
    )

    result = importing(file, "--dry-run")

    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "line 2: 2024-01-02 BUY 1.00 SPY at 470.00 470.00 USD fee 1.00",
        "line 3: 2024-01-06 BUY 1.00 SPY at 470.00 475.00 USD",
        "line 4: 2024-01-07 INTEREST 1.63 USD",
        "schwab: would add 3 orders to account Ann (new); 0 were there, 1 left out, 2 doubtful",
        "2 BUY, 1 INTEREST",
        "new companies: SPY",
    ]
    assert result.stderr.splitlines() == [
        "doubtful: line 3: the stated amount 475.00 counts, not quantity times price, which is 470",
        "doubtful: line 3: XNYS was closed on 2024-01-06: counted at the next close",
        "left out: line 5: a split: it comes from the data provider and is applied by itself"
        " | 01/08/2024,Stock Split,SPY,SPDR,9,,,",
    ]
    assert (house.rows(Order), house.rows(Account), house.rows(Company)) == ([], [], [])


def test_trying_a_file_with_bad_lines_shows_the_good_ones_too(house: House, importing: Callable[..., Result]) -> None:
    file = SCHWAB + "01/02/2024,Buy,SPY,SPDR,1,$470.00,,-$470.00\n01/03/2024,Lottery,,A PRIZE,,,,$5.00\n"

    result = importing(file, "--dry-run", "--json")

    preview = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (preview["added_count"], preview["refused_count"], preview["format"]) == (1, 1, "schwab")
    assert preview["rows"][0]["lines"] == [2]
    assert preview["findings"] == [
        {
            "line": 3,
            "weight": "refused",
            "reason": "action 'Lottery' is not known",
            "text": "01/03/2024,Lottery,,A PRIZE,,,,$5.00",
        }
    ]
    assert last_line(result) == "error: nothing was imported: 1 bad line(s)"


FLEX = (
    '<FlexQueryResponse><FlexStatements count="1"><FlexStatement accountId="U1">\n{}\n'
    "</FlexStatement></FlexStatements></FlexQueryResponse>\n"
)
DIVIDEND = (
    '<CashTransaction currency="USD" symbol="VT" listingExchange="ARCA" isin="US9220427424" settleDate="20240620"'
    ' type="Dividends" amount="{}" transactionID="{}" description="VT CASH DIVIDEND"/>'
)


def test_a_dividend_taken_back_after_it_was_imported_is_refused_until_its_order_is_gone(
    house: House, importing: Callable[..., Result]
) -> None:
    assert importing(FLEX.format(DIVIDEND.format("5", "1"))).exit_code == 0
    both = FLEX.format(DIVIDEND.format("5", "1") + "\n" + DIVIDEND.format("-5", "2"))

    result = importing(both)

    assert result.exit_code == 1
    [order] = house.rows(Order)
    told = f"line 2: a later line takes this back, and it is here as order {order.id}: delete that"
    assert result.stderr.splitlines()[0] == told
    # In an account that never had it the two lines are nothing.
    assert importing(both, account="Bea").exit_code == 0
    assert len(house.rows(Order)) == 1


def test_what_the_broker_states_otherwise_than_before_is_told_and_stays(
    house: House, importing: Callable[..., Result]
) -> None:
    importing(FLEX.format(DIVIDEND.format("5", "1")))

    result = importing(FLEX.format(DIVIDEND.format("6.5", "1")))

    assert result.exit_code == 0
    [order] = house.rows(Order)
    assert order.amount == 5
    assert result.stderr.splitlines() == [
        f"doubtful: line 2: order {order.id} has amount 5.00 here, 6.50 in the file;"
        " it stays as it is: correct it by hand"
    ]


def test_a_trade_after_the_close_in_new_york_counts_for_its_session(
    house: House, importing: Callable[..., Result]
) -> None:
    heading = "date,symbol,dataSource,currency,unitPrice,quantity,type,fee\n"

    importing(
        heading + "2024-01-06T00:30:00Z,AAPL,YAHOO,USD,180,1,BUY,0\n2024-01-06T01:30:00Z,AAPL,YAHOO,USD,180,1,BUY,0\n"
    )

    assert [str(order.trade_date) for order in house.rows(Order)] == ["2024-01-05", "2024-01-08"]


def test_what_a_spreadsheet_would_run_stays_text(house: House, importing: Callable[..., Result]) -> None:
    file = SCHWAB + '01/07/2024,Credit Interest,,"=HYPERLINK(""http://x"")",,,,$1.63\n01/08/2024,Buy,=1+1,X,1,$1,,-$1\n'

    refused = importing(file)

    assert "line 3: symbol '=1+1' is not a symbol" in refused.stderr
    assert importing(file, "--leave-out", "3").exit_code == 0
    assert [order.note for order in house.rows(Order)] == ['=HYPERLINK("http://x")']


# --- Companies.


def test_companies_without_a_symbol_are_told_and_mapped_by_a_file(
    house: House, importing: Callable[..., Result], shared_data: Path, tmp_path: Path
) -> None:
    path = shared_data / "imports" / "investir_freetrade.csv"
    mapping = tmp_path / "mapping.csv"
    mapping.write_text("# my shares\nGB00BLDYK618,SMT.L\n", encoding="utf-8")

    refused = importing(path)

    assert refused.exit_code == 1
    assert 'line 25: no symbol is known for GB00BLDYK618 (SMT); say --map "GB00BLDYK618=SYMBOL"' in refused.stderr
    assert house.rows(Order) == []
    assert importing(path, "--map", str(mapping)).exit_code == 0
    assert "SMT.L" in {row.symbol for row in house.rows(Company)}


def test_a_mapping_is_remembered_for_the_account_until_another_is_given(
    house: House, importing: Callable[..., Result], shared_data: Path
) -> None:
    path = shared_data / "imports" / "investir_freetrade.csv"
    assert importing(path, *FREETRADE_MAP, "--map", "nothing-here=ABC").exit_code == 0

    again = importing(path, "--json")
    changed = importing(path, "--map", "GB00BLDYK618=SMT.DE", "--dry-run", "--json")

    assert again.exit_code == 0, again.stderr
    assert json.loads(again.stdout)["mapping"] == {"GB00BLDYK618": "SMT.L"}
    assert json.loads(changed.stdout)["mapping"] == {"GB00BLDYK618": "SMT.DE"}
    assert importing(path, account="Bea").exit_code == 1
    assert [(row.name, row.symbol) for row in house.rows(AccountSymbol, order="name")] == [("GB00BLDYK618", "SMT.L")]


def test_a_symbol_of_an_unknown_exchange_is_refused(house: House, importing: Callable[..., Result]) -> None:
    file = SCHWAB + "01/02/2024,Buy,SPY,SPDR,1,$470.00,,-$470.00\n"

    result = importing(file, "--map", "SPY=SPY.MOON")

    assert result.exit_code == 1
    assert "line 2: SPY.MOON: no exchange is known for the suffix .MOON" in result.stderr


# --- Forms.


def test_the_two_exports_of_one_broker_do_not_mix(house: House, importing: Callable[..., Result]) -> None:
    statement = (
        "Date,Time,Value date,Product,ISIN,Description,FX,Change,,Balance,,Order Id\n"
        "20-02-2024,10:15,20-02-2024,VANGUARD,IE00B3XXRP09,Buy 5 VANGUARD@78.22 EUR,,EUR,-391.10,EUR,0,o2\n"
    )  # fmt: skip
    trades = (
        "Date,Time,Product,ISIN,Reference exchange,Venue,Quantity,Price,,Local value,,Value,,Exchange rate,"
        "Transaction and/or third party fees,,Total,,Order ID\n"
        "20-02-2024,10:15,VANGUARD,IE00B3XXRP09,EAM,XAMS,5,78.22,EUR,-391.10,EUR,-391.10,EUR,,,EUR,-391.10,EUR,o2\n"
    )
    assert importing(statement, "--map", "IE00B3XXRP09=VUSA.AS").exit_code == 0

    result = importing(trades, "--map", "IE00B3XXRP09=VUSA.AS")

    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == (
        "this account was imported from degiro_account, which holds the same trades; go on with that form"
    )
    assert len(house.rows(Order)) == 1


@pytest.mark.parametrize(
    ("file", "options", "words"),
    [
        (b"", (), "error: file is empty"),
        (b"hello,world\n1,2\n", (), "error: the file is in no form that is known"),
        (b"PK\x03\x04....", (), "error: the file is a ZIP archive or an Excel workbook"),
        (SCHWAB.encode(), ("--map", "nothing"), "error: 'nothing' is neither ISIN=SYMBOL nor a file of such lines"),
        (SCHWAB.encode(), ("--leave-out", "9"), "error: line 9 holds nothing that could be left out"),
        (b"hello,world\n1,2\n", ("--format", "schwab"), "line 1: the columns date, action, symbol"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words_and_without_its_path(
    house: House, importing: Callable[..., Result], tmp_path: Path, file: bytes, options: tuple[str, ...], words: str
) -> None:
    result = importing(file, *options)

    assert result.exit_code in {1, 2}
    assert words in result.stderr
    assert str(tmp_path) not in result.output
    assert house.rows(Order) == []


def test_everything_moves_in_a_statement_of_many_currencies(
    house: House, importing: Callable[..., Result], shared_data: Path
) -> None:
    """Dutch, Spanish, French and Portuguese rows of one real export; what its authors garbled is left out by line."""
    isins = {
        line.split(",")[4]
        for line in (shared_data / "imports" / "degiro-export.csv").read_text(encoding="utf-8").splitlines()
    }
    mapping = [f"--map={isin}=S{number}.AS" for number, isin in enumerate(sorted(isins)) if len(isin) == 12]

    result = importing(
        shared_data / "imports" / "degiro-export.csv", "--leave-out", "68,69,70,71,66", *mapping, account="Bea"
    )

    assert result.exit_code == 0, result.stderr
    # What came and went by the file's own change column, without cash between Degiro and its bank.
    assert cash(house, "Bea") == {"EUR": Decimal("-630.43"), "GBP": Decimal("19.84"), "USD": Decimal("-455.57")}


# --- Dividends of a statement and those that closingbell pays by itself.


def test_a_dividend_of_the_statement_is_not_paid_again_and_the_others_are(
    tables_url: str, houses: Callable[..., House], no_waits: None, tmp_path: Path
) -> None:
    """20 AAPL: 2.65 on 2012-08-16 is in the file, gross 53.00 less 7.95; that of 2012-11-15 is not and is paid."""
    house = houses(tables_url, "2012-11-30 16:31")
    file = tmp_path / "statement.csv"
    file.write_text(
        SCHWAB
        + "07/02/2012,MoneyLink Transfer,,Tfr BANK,,,,$20000.00\n"
        + "07/02/2012,Buy,AAPL,APPLE INC,20,$592.52,,-$11850.40\n"
        + "08/16/2012,Qualified Dividend,AAPL,APPLE INC,,,,$53.00\n"
        + "08/16/2012,NRA Tax Adj,AAPL,APPLE INC,,,,-$7.95\n",
        encoding="utf-8",
    )
    assert house.command("import", str(file), "--account", "Ann").exit_code == 0
    house.run()

    result = house.command("run-dividend-processor")

    assert result.exit_code == 0, result.output
    # 20000.00 - 11850.40 + 45.05 of the statement, and 53.00 of November.
    assert cash(house) == {"USD": Decimal("8247.65")}
    assert house.command("run-dividend-processor").exit_code == 0
    assert cash(house) == {"USD": Decimal("8247.65")}
