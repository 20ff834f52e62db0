# ruff: noqa: E501  (rows of files are as long as they are)
"""For every form: the same file twice, or cut into two that overlap, adds what the whole file adds and no more."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from closingbell.usecases.imports.formats import format_named, recognise
from closingbell.usecases.imports.keys import source_keys

# Form -> its heading, and rows of one day: {0} is the day in the file's form, {1} a number.
FILES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "csv": (
        "date,type,symbol,quantity,price,fee,currency",
        "%Y-%m-%d",
        ("{0},BUY,AAPL,{1},10,0,USD", "{0},DEPOSIT,,,{1},0,USD", "{0},DIVIDEND,AAPL,{1},0.5,0,USD"),
    ),
    "schwab": (
        "Date,Action,Symbol,Description,Quantity,Price,Fees & Comm,Amount",
        "%m/%d/%Y",
        (
            "{0},Buy,SPY,SPDR,{1},$10.00,,-${1}0.00",
            "{0},Qualified Dividend,SPY,SPDR,,,,${1}.00\n{0},NRA Tax Adj,SPY,SPDR,,,,-$0.10",
            "{0},Credit Interest,,INT,,,,${1}.00",
        ),
    ),
    "trading212": (
        "Action,Time,ISIN,Ticker,Name,No. of shares,Price / share,Currency (Price / share),Total,Currency (Total),ID,Notes",
        "%Y-%m-%d 10:00:00",
        (
            "Market buy,{0},US0378331005,AAPL,Apple,{1},10,USD,{1}9.00,EUR,EOF{1},",
            "Interest on cash,{0},,,,,,,0.0{1},EUR,,x",
            "Deposit,{0},,,,,,,{1}.00,EUR,D{1},x",
        ),
    ),
    "degiro_account": (
        "Date,Time,Value date,Product,ISIN,Description,FX,Change,,Balance,,Order Id",
        "%d-%m-%Y",
        (
            "{0},10:00,{0},APPLE,US0378331005,Buy {1} APPLE@10 EUR (US0378331005),,EUR,-{1}0.00,EUR,0,o{1}\n"
            "{0},10:00,{0},APPLE,US0378331005,DEGIRO Transaction and/or third party fees,,EUR,-1.00,EUR,0,o{1}",
            "{0},09:00,{0},AT&T,US00206R1023,Dividend,,USD,{1}.00,USD,0,\n"
            "{0},09:00,{0},AT&T,US00206R1023,Dividend Tax,,USD,-0.15,USD,0,",
            "{0},08:0{1},{0},,,FX Credit,,EUR,{1}.00,EUR,0,\n{0},08:0{1},{0},,,FX Debit,1.1,USD,-{1}.10,USD,0,",
        ),
    ),
    "portfolio_performance": (
        "Datum;Typ;Wert;Buchungswährung;Gebühren;Steuern;Stück;ISIN;WKN;Ticker-Symbol;Wertpapiername;Notiz",
        "%Y-%m-%dT00:00",
        (
            "{0};Kauf;-{1}0,00;EUR;;;{1};;;SAP.DE;SAP;",
            "{0};Einlage;{1},00;EUR;;;;;;;;",
            "{0};Dividende;{1},00;EUR;;0,26;5;;;SAP.DE;SAP;",
        ),
    ),
    "ibkr_csv": (
        "Type,SettleDate,ISIN,Description,Amount,CurrencyPrimary",
        "%Y%m%d",
        (
            "Dividends,{0},US9220427424,VT(US9220427424) CASH DIVIDEND,{1},USD\n"
            "Withholding Tax,{0},US9220427424,VT(US9220427424) CASH DIVIDEND - US TAX,-0.1,USD",
            "Deposits/Withdrawals,{0},,CASH RECEIPTS,{1},USD",
            "Other Fees,{0},,DATA,-{1},USD",
        ),
    ),
}
DAYS = st.lists(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), min_size=1, max_size=5), max_size=6)


def keys(form: str, days: list[str]) -> list[str]:
    """The keys of the orders of a file with these days, which its reader takes whole."""
    heading = FILES[form][0]
    text = "\n".join([heading, *days]) + "\n"
    assert recognise(text).name == form
    reading = format_named(form).read(text)
    assert [finding for finding in reading.findings if "no orders" not in finding.reason] == []
    found = source_keys(reading.entries, form)
    assert len(set(found)) == len(found)
    return found


@pytest.mark.parametrize("form", FILES)
@settings(max_examples=15)
@given(days=DAYS, data=st.data())
def test_a_file_again_or_in_two_parts_that_overlap_adds_nothing_more(
    form: str, days: list[list[tuple[int, int]]], data: st.DataObject
) -> None:
    _, day_form, rows = FILES[form]
    texts = []
    for number, kinds in enumerate(days):
        day = (date(2024, 1, 2) + timedelta(days=number)).strftime(day_form)
        texts.append("\n".join(rows[kind].format(day, amount) for kind, amount in kinds))
    begin = data.draw(st.integers(0, len(texts)))
    end = data.draw(st.integers(begin, len(texts)))

    whole = keys(form, texts)

    assert keys(form, texts) == whole
    # The second export may list its days the other way round.
    assert set(keys(form, texts[:end])) | set(keys(form, texts[begin:][::-1])) == set(whole)
