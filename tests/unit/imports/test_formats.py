from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from closingbell.errors import ImportRefusedError
from closingbell.usecases.imports.decoding import decode
from closingbell.usecases.imports.entries import REFUSED
from closingbell.usecases.imports.formats import FORMATS, format_named, recognise

SAMPLES = {
    "cgt_schwab_2023.csv": "schwab",
    "cgt_trading212_2024.csv": "trading212",
    "degiro-export.csv": "degiro_account",
    "ibkr-dividends-export.csv": "ibkr_csv",
    "ibkr-trades-export.csv": "ibkr_csv",
    "investir_freetrade.csv": "freetrade",
    "investir_trading212_2021-2022.csv": "trading212",
    "schwab-export.csv": "schwab",
    "trading212-export.csv": "trading212",
    "cgt_raw.csv": "csv",
}
UNKNOWN = (
    *("avanza-export.csv", "etoro-export.csv", "parqet-export.csv", "revolut-invest-export.csv"),
    *("swissquote-export.csv", "dledger_nordnet_transactions.utf16.csv", "investir_freetrade.holdings.expected.json"),
)


@pytest.mark.parametrize(("name", "form"), SAMPLES.items())
def test_a_real_file_is_recognised_by_its_content(shared_data: Path, name: str, form: str) -> None:
    assert recognise(decode((shared_data / "imports" / name).read_bytes())).name == form


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_file_of_another_form_is_refused_with_what_is_understood(shared_data: Path, name: str) -> None:
    with pytest.raises(ImportRefusedError, match="the file is in no form that is known") as refused:
        recognise(decode((shared_data / "imports" / name).read_bytes()))

    assert [reason.partition(":")[0] for reason in refused.value.reasons] == [form.name for form in FORMATS]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_row_of_a_real_file_is_in_an_entry_or_a_finding(shared_data: Path, name: str) -> None:
    text = decode((shared_data / "imports" / name).read_bytes())
    reading = recognise(text).read(text)

    told = {line for entry in reading.entries for line in entry.lines} | {one.line for one in reading.findings}
    filled = {number for number, line in enumerate(text.splitlines(), 1) if line.strip(" ,;\r\n")}
    # The first is the header; in Degiro's file line 19 continues line 18.
    assert filled - told - {1} == ({19} if name.startswith("degiro") else set())


def test_a_file_that_fits_two_formats_asks_which() -> None:
    both = "action,time,isin,ticker,no. of shares,total,title,type,timestamp,account currency,total amount,buy / sell\n"

    with pytest.raises(ImportRefusedError, match="could be trading212 or freetrade; say which with --format"):
        recognise(both)


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ImportRefusedError, match="no format is called 'excel'; there are csv, ghostfolio, "):
        format_named("excel")


HEADERS = (
    "date,type,symbol,quantity,price,fee,currency",
    "Date,Code,DataSource,Currency,Price,Quantity,Action,Fee,Note",
    "Datum;Typ;Wert;Buchungswährung;Gebühren;Steuern;Stück;ISIN;WKN;Ticker-Symbol;Wertpapiername;Notiz",
    '"Buy/Sell","TradeDate","ISIN","Quantity","TradePrice","CurrencyPrimary"',
    '"Type","SettleDate","ISIN","Description","Amount","CurrencyPrimary"',
    "Action,Time,ISIN,Ticker,Name,No. of shares,Price / share,Total,Currency (Total),Notes,ID",
    "Datum,Tijd,Valutadatum,Product,ISIN,Omschrijving,FX,Mutatie,,Saldo,,Order Id",
    "Date,Time,Product,ISIN,Exchange,Venue,Quantity,Price,,Local value,,Value,,Exchange rate,Fees,,Total,,Order ID",
    "Date,Action,Symbol,Description,Quantity,Price,Fees & Comm,Amount",
    "Title,Type,Timestamp,Account Currency,Total Amount,Buy / Sell,Ticker,ISIN",
    '{"activities": [{"dataSource": "YAHOO", "unitPrice": 1, "type": "BUY"},',
    '<FlexQueryResponse><FlexStatements><Trade currency="USD" buySell="BUY" quantity="1"/>',
)
CELLS = st.text(st.characters(blacklist_categories=("Cs",)), max_size=12) | st.sampled_from(
    ["BUY", "Buy", "Kauf", "Dividend", "2024-01-02", "01-02-2024", "1,5", "-1e9", "USD", "EUR", "US0378331005", "NaN"]
)
ROWS = st.lists(st.lists(CELLS, max_size=20).map(",".join) | CELLS, max_size=6).map("\n".join)


@settings(max_examples=60)
@given(header=st.sampled_from(HEADERS), rows=ROWS)
def test_garbage_under_a_known_heading_is_findings_and_never_a_crash(header: str, rows: str) -> None:
    _read_all(f"{header}\n{rows}".encode())


@settings(max_examples=60)
@given(data=st.binary(max_size=300))
def test_random_bytes_are_refused_or_read_and_never_a_crash(data: bytes) -> None:
    _read_all(data)


def _read_all(data: bytes) -> None:
    """Every reader over the same bytes: what it cannot take it says."""
    try:
        text = decode(data)
    except ImportRefusedError:
        return
    for form in FORMATS:
        form.recognises(text)
        reading = form.read(text)
        for finding in reading.findings:
            assert finding.weight != REFUSED or finding.reason
