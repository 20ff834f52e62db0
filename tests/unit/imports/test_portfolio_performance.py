from __future__ import annotations

from closingbell.usecases.imports.keys import source_keys
from closingbell.usecases.imports.portfolio_performance import NAME, read, recognises
from tests.unit.imports.support import found, told

GERMAN = (
    "Datum;Ex-Tag;Typ;Wert;Buchungswährung;Bruttobetrag;Währung Bruttobetrag;Wechselkurs;Gebühren;Steuern;Stück;"
    "ISIN;WKN;Ticker-Symbol;Wertpapiername;Notiz\n"
)
ENGLISH = (
    "Date,Type,Value,Transaction Currency,Gross Amount,Currency Gross Amount,Exchange Rate,Fees,Taxes,Shares,"
    "ISIN,WKN,Ticker Symbol,Security Name,Note\n"
)


def test_german_transactions_of_a_cash_account() -> None:
    text = GERMAN + (
        "2024-01-15T00:00;;Einlage;5.000,00;EUR;;;;;;;;;;;\n"
        "2024-01-16T09:30;;Kauf;-1.004,99;EUR;;;;4,99;;10;IE00B4L5Y983;A0RPWH;EUNL.DE;iShares Core MSCI World;Plan\n"
        "2024-02-01T10:00;;Kauf;-2.112,40;EUR;2.300,00;USD;1,0900;1,00;;12,5;US0378331005;865985;AAPL;Apple Inc.;\n"
        "2024-03-15T00:00;2024-03-01;Dividende;79,00;EUR;;;;10,00;11,00;5;DE0007164600;716460;SAP.DE;SAP SE;\n"
        "2024-06-03T14:00;;Verkauf;520,00;EUR;;;;5,00;15,00;5;IE00B4L5Y983;A0RPWH;EUNL.DE;iShares Core MSCI World;\n"
        "2024-06-30T00:00;;Zinsen;3,21;EUR;;;;;;;;;;;\n"
        "2024-07-01T00:00;;Zinsbelastung;-1,10;EUR;;;;;;;;;;;\n"
        "2024-07-02T00:00;;Gebühren;-4,90;EUR;;;;;;;;;;;Depotgebühr\n"
        "2024-07-03T00:00;;Gebührenerstattung;0,90;EUR;;;;;;;;;;;\n"
        "2024-07-04T00:00;;Steuerrückerstattung;2,00;EUR;;;;;;;;;;;\n"
        "2024-07-05T00:00;;Umbuchung (Ausgang);-100,00;EUR;;;;;;;;;;;\n"
        "2024-07-06T00:00;;Entnahme;-300,00;EUR;;;;;;;;;;;\n"
    )

    assert recognises(text)
    assert told(read(text)) == [
        "2 DEPOSIT 2024-01-15 = 5000 EUR",
        "3 BUY 2024-01-16 EUNL.DE 10 at 100 = 1000 EUR fee 4.99",
        "4 BUY 2024-02-01 AAPL 12.5 at 168.912 = 2111.4 EUR fee 1",
        "5 DIVIDEND 2024-03-15 SAP.DE 5 = 100 EUR fee 10 tax 11",
        "6 SELL 2024-06-03 EUNL.DE 5 at 108 = 540 EUR fee 5 tax 15",
        "7 INTEREST 2024-06-30 = 3.21 EUR",
        "8 INTEREST 2024-07-01 = -1.1 EUR",
        "9 FEE 2024-07-02 = 4.9 EUR",
        "10 FEE 2024-07-03 = -0.9 EUR",
        "11 TAX 2024-07-04 = -2 EUR",
        "12 WITHDRAWAL 2024-07-05 = 100 EUR",
        "13 WITHDRAWAL 2024-07-06 = 300 EUR",
    ]
    assert found(read(text)) == []


def test_english_transactions_of_a_securities_account() -> None:
    text = ENGLISH + (
        '2024-01-16T09:30,Buy,"1,004.99",EUR,,,,4.99,,10,IE00B4L5Y983,A0RPWH,EUNL.DE,iShares Core MSCI World,\n'
        '2024-01-17T09:30,Delivery (Inbound),"1,500.00",EUR,,,,,,"1,000.5",US0378331005,,AAPL,Apple,\n'
        "2024-01-18T09:30,Transfer (Outbound),150.00,EUR,,,,,,1,US0378331005,,AAPL,Apple,\n"
        "2024-01-19T09:30,Buy,10.00,EUR,,,,,,1,US88160R1014,A1CX3T,,Tesla,\n"
    )

    assert told(read(text)) == [
        "2 BUY 2024-01-16 EUNL.DE 10 at 100 = 1000 EUR fee 4.99",
        "3 TRANSFER_IN 2024-01-17 AAPL 1000.5 at 1.49925 = 1500 EUR",
        "4 TRANSFER_OUT 2024-01-18 AAPL 1 at 150 = 150 EUR",
        "5 BUY 2024-01-19 ?US88160R1014 1 at 10 = 10 EUR",
    ]


def test_a_purchase_is_one_order_whether_it_comes_with_the_cash_or_with_the_shares() -> None:
    row = "EUR;;;;4,99;;10;IE00B4L5Y983;A0RPWH;EUNL.DE;iShares Core MSCI World;\n"
    of_cash = read(f"{GERMAN}2024-01-16T09:30;;Kauf;-1.004,99;{row}")
    of_shares = read(f"{GERMAN}2024-01-16T09:30;;Kauf;1.004,99;{row}")

    assert source_keys(of_cash.entries, NAME) == source_keys(of_shares.entries, NAME)


def test_dates_with_slashes_are_read_as_the_file_tells_or_refused() -> None:
    rows = "{},Deposit,5.00,EUR,,,,,,,,,,,\n"

    assert told(read(ENGLISH + rows.format("03/31/2024") + rows.format("04/05/2024")))[1] == (
        "3 DEPOSIT 2024-04-05 = 5 EUR"
    )
    assert told(read(ENGLISH + rows.format("31/03/2024") + rows.format("04/05/2024")))[1] == (
        "3 DEPOSIT 2024-05-04 = 5 EUR"
    )
    assert found(read(ENGLISH + rows.format("04/05/2024"))) == [
        "2 refused: date '04/05/2024' can be read in two ways; export with dates as YYYY-MM-DD"
    ]


def test_what_is_not_known_is_refused() -> None:
    text = GERMAN + (
        "2024-01-15;;Schenkung;5,00;EUR;;;;;;;;;;;\n"
        "2024-01-16;;Kauf;-5,00;EUR;;;;;;1;;;;;\n"
        "2024-01-17;;Kauf;-5,00;EUR;;;;;;;IE00B4L5Y983;;;;\n"
    )

    assert found(read(text)) == [
        "2 refused: type 'Schenkung' is not known",
        "3 refused: the row names no company: ISIN, symbol and name are empty",
        "4 refused: number of shares is missing or zero",
    ]
