# ruff: noqa: E501  (rows of files are as long as they are)
from __future__ import annotations

import pytest

from closingbell.usecases.imports import ibkr_csv, ibkr_flex
from tests.unit.imports.support import found, told


def flex(*rows: str) -> str:
    """Rows in a Flex query; the first is on line 4."""
    inside = "\n".join(rows)
    return (
        '<FlexQueryResponse queryName="All" type="AF">\n<FlexStatements count="1">\n'
        f'<FlexStatement accountId="U1" fromDate="20240101" toDate="20241231">\n{inside}\n'
        "</FlexStatement>\n</FlexStatements>\n</FlexQueryResponse>\n"
    )


TRADE = '<Trade accountId="U1" assetCategory="STK" levelOfDetail="EXECUTION" '


def test_trades_with_commission_and_exchange() -> None:
    text = flex(
        TRADE
        + 'currency="USD" symbol="BRK B" listingExchange="NYSE" isin="US0846707026" tradeID="1" tradeDate="20240102"'
        ' quantity="2" tradePrice="365.1234567" proceeds="-730.2469134" ibCommission="-1.00005" ibCommissionCurrency="USD"'
        ' taxes="0" buySell="BUY" notes="P" brandNewColumn="x"/>',
        TRADE + 'currency="GBP" symbol="VOD" listingExchange="LSE" isin="GB00BH4HKS39" tradeID="2"'
        ' tradeDate="2024-01-03" quantity="100" tradePrice="0.68" proceeds="-68" ibCommission="-3"'
        ' ibCommissionCurrency="EUR" taxes="-0.34" buySell="BUY"/>',
        TRADE + 'currency="EUR" symbol="SAP" listingExchange="IBIS" isin="DE0007164600" tradeID="3"'
        ' tradeDate="20240104" quantity="-3" tradePrice="140" proceeds="420" ibCommission="0.1"'
        ' ibCommissionCurrency="EUR" buySell="SELL"/>',
        TRADE + 'currency="EUR" symbol="ABC" listingExchange="MOON" isin="DE0008404005" tradeID="4"'
        ' tradeDate="20240105" quantity="-1" tradePrice="1" proceeds="1" buySell="SELL"/>',
        '<Order levelOfDetail="ORDER" assetCategory="STK" currency="USD" symbol="BRK B" quantity="2" buySell="BUY"/>',
    )

    assert ibkr_flex.recognises(text)
    assert told(ibkr_flex.read(text)) == [
        "4 BUY 2024-01-02 BRK-B 2 at 365.123457 = 730.2469 USD fee 1",
        "5 BUY 2024-01-03 VOD.L 100 at 0.68 = 68 GBP tax 0.34",
        "5 FEE 2024-01-03 = 3 EUR",
        "6 SELL 2024-01-04 SAP.DE 3 at 140 = 420 EUR",
        "6 FEE 2024-01-04 = -0.1 EUR",
        "7 SELL 2024-01-05 ?DE0008404005 1 at 1 = 1 EUR",
    ]
    assert found(ibkr_flex.read(text)) == ["8 left_out: a sum of other rows"]


@pytest.mark.parametrize(
    ("exchange", "ticker", "symbol"),
    [
        ("NASDAQ", "AAPL", "AAPL"),
        ("NYSE", "BRK B", "BRK-B"),
        ("LSE", "BT.A", "BT-A.L"),
        ("LSE", "RR.", "RR.L"),
        ("IBIS", "SAPd", "SAP.DE"),
        ("SFB", "VOLV.B", "VOLV-B.ST"),
        ("TSE", "REI.UN", "REI-UN.TO"),
        ("SEHK", "5", "0005.HK"),
        ("TSEJ", "7203", "7203.T"),
        # Spelled by rules of their own, or of an exchange that is not known: to be mapped.
        ("NYSE", "BAC PRK", None),
        ("NYSE", "ABC WS", None),
        ("MOON", "ABC", None),
    ],
)
def test_a_ticker_of_an_exchange_in_yahoos_spelling(exchange: str, ticker: str, symbol: str | None) -> None:
    text = flex(
        TRADE + f'currency="EUR" symbol="{ticker}" listingExchange="{exchange}" tradeDate="20240102" quantity="1"'
        ' tradePrice="1" buySell="BUY"/>'
    )

    (entry,) = ibkr_flex.read(text).entries
    assert entry.security is not None
    assert entry.security.symbol == symbol


def test_currencies_cancellations_and_what_is_no_share() -> None:
    text = flex(
        '<Trade assetCategory="CASH" symbol="EUR.USD" currency="USD" tradeID="1" tradeDate="20240102" quantity="-1000"'
        ' tradePrice="1.1" proceeds="1100" ibCommission="-1.8" ibCommissionCurrency="CHF" buySell="SELL"/>',
        TRADE + 'currency="USD" symbol="A" listingExchange="NYSE" tradeDate="20240102" quantity="2" tradePrice="1"'
        ' buySell="BUY (Ca.)"/>',
        TRADE + 'currency="USD" symbol="A" listingExchange="NYSE" tradeDate="20240102" quantity="2" tradePrice="1"'
        ' buySell="BUY" notes="Ca;P"/>',
        TRADE.replace("STK", "OPT") + 'currency="USD" symbol="A 250620C00100000" quantity="1" buySell="BUY"/>',
        TRADE
        + 'currency="USD" symbol="A" listingExchange="NYSE" tradeDate="MULTI" quantity="2" tradePrice="1" buySell="BUY"/>',
        '<CorporateAction type="FS" symbol="A" quantity="9"/>',
        '<CorporateAction type="SO" symbol="A" quantity="9"/>',
        '<OpenPosition symbol="A" position="9"/>',
        '<OpenPosition symbol="B" position="9"/>',
    )

    assert told(ibkr_flex.read(text)) == [
        "4 CONVERSION 2024-01-02 = 1000 EUR for 1100 USD",
        "4 FEE 2024-01-02 = 1.8 CHF",
    ]
    assert found(ibkr_flex.read(text)) == [
        "5 left_out: a trade that was cancelled, or its cancellation",
        "6 left_out: a trade that was cancelled, or its cancellation",
        "7 left_out: OPT: closingbell keeps shares and funds; enter its cash by hand",
        "8 refused: date 'MULTI' is not a date in this format's form",
        "9 left_out: a split: it comes from the data provider and is applied by itself",
        "10 left_out: what the company did (SO): enter it as a corporate action",
        "11 left_out: 2 rows of OpenPosition: neither trades nor cash",
    ]


CASH = '<CashTransaction accountId="U1" levelOfDetail="DETAIL" '
VT = 'currency="USD" symbol="VT" listingExchange="ARCA" isin="US9220427424" settleDate="20240620" '


def test_cash_with_dividends_taxes_and_one_taken_back() -> None:
    text = flex(
        CASH + VT + 'type="Dividends" amount="137.23" transactionID="1" description="VT CASH DIVIDEND"/>',
        CASH + VT + 'type="Withholding Tax" amount="-20.58" transactionID="2" description="VT - US TAX"/>',
        CASH + VT.replace("0620", "0701") + 'type="Dividends" amount="5" transactionID="3" description="VT"/>',
        CASH + VT.replace("0620", "0702") + 'type="Dividends" amount="-5" transactionID="4" description="REVERSAL"/>',
        CASH + VT.replace("0620", "0703") + 'type="Dividends" amount="-6" transactionID="5" description="REVERSAL"/>',
        CASH + VT + 'type="Dividends" amount="4.83" transactionID="6" description="VT (Return of Capital)"/>',
        CASH + 'currency="EUR" type="Deposits/Withdrawals" amount="-50" dateTime="20240621;101500" transactionID="7"/>',
        CASH + 'currency="EUR" type="Broker Interest Paid" amount="-1.23456" dateTime="20240622" transactionID="8"/>',
        CASH + 'currency="EUR" type="Other Fees" amount="-10" dateTime="20240623" transactionID="9"/>',
        CASH + 'currency="EUR" type="Gift" amount="10" dateTime="20240624" transactionID="10"/>',
        '<CashTransaction levelOfDetail="SUMMARY" currency="EUR" type="Other Fees" amount="-10" dateTime="20240623"/>',
        '<Transfer currency="USD" symbol="VT" listingExchange="ARCA" direction="IN" quantity="10" positionAmount="950"'
        ' date="20240625" transactionID="11"/>',
    )

    assert told(ibkr_flex.read(text)) == [
        "4+5 DIVIDEND 2024-06-20 VT = 137.23 USD tax 20.58",
        "6 DIVIDEND 2024-07-01 VT = 5 USD undone",
        "9 CAPITAL_RETURN 2024-06-20 VT = 4.83 USD",
        "10 WITHDRAWAL 2024-06-21 = 50 EUR",
        "11 INTEREST 2024-06-22 = -1.2346 EUR",
        "12 FEE 2024-06-23 = 10 EUR",
        "15 TRANSFER_IN 2024-06-25 VT 10 at 95 = 950 USD",
    ]
    assert found(ibkr_flex.read(text)) == [
        "6 left_out: taken back by line 7",
        "7 left_out: takes back line 6",
        "8 refused: a dividend taken back that this file does not hold: delete its order, then leave this line out",
        "13 refused: type 'Gift' is not known",
        "14 left_out: a sum of other rows",
    ]


def test_tax_corrected_in_a_later_report_stays_apart_as_it_may_come_alone() -> None:
    tax = VT + 'type="Withholding Tax" description="VT - US TAX" '
    text = flex(
        CASH + VT + 'type="Dividends" amount="100" transactionID="1" reportDate="20240620" description="VT"/>',
        CASH + tax + 'amount="-15" transactionID="2" reportDate="20240620"/>',
        CASH + tax + 'amount="15" transactionID="3" reportDate="20250210"/>',
        CASH + tax + 'amount="-10" transactionID="4" reportDate="20250210"/>',
    )

    assert told(ibkr_flex.read(text)) == [
        "4+5 DIVIDEND 2024-06-20 VT = 100 USD tax 15",
        "6 TAX 2024-06-20 VT = -15 USD",
        "7 TAX 2024-06-20 VT = 10 USD",
    ]


def test_a_file_of_two_of_the_brokers_accounts_is_told() -> None:
    deposit = 'currency="EUR" type="Deposits/Withdrawals" amount="50" dateTime="20240621"/>'
    text = flex(CASH + deposit, CASH.replace("U1", "U2") + deposit)

    assert found(ibkr_flex.read(text)) == [
        "1 doubtful: the file holds 2 of the broker's accounts; all go into this one"
    ]


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    '<FlexQueryResponse queryName="&b;"></FlexQueryResponse>'
)
OUTSIDE = (
    '<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd" [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    "<FlexQueryResponse>&f;</FlexQueryResponse>"
)


@pytest.mark.parametrize("text", [BOMB, OUTSIDE])
def test_document_types_and_entities_are_not_read(text: str) -> None:
    assert ibkr_flex.recognises(text)
    assert found(ibkr_flex.read(text)) == [
        "1 refused: the XML declares a document type, which no Flex query does; it is not read"
    ]


def test_broken_and_bottomless_xml_is_a_finding() -> None:
    assert "not readable as XML" in found(ibkr_flex.read("<FlexQueryResponse><a>"))[0]
    assert "not readable as XML" in found(ibkr_flex.read("<FlexQueryResponse>&x;</FlexQueryResponse>"))[0]
    assert found(ibkr_flex.read("<FlexQueryResponse>" + "<a>" * 1_000)) == [
        "1 refused: the XML is nested too deep for a Flex query"
    ]


def test_csv_of_trades_and_of_cash() -> None:
    trades = (
        '"Buy/Sell","TradeDate","ISIN","Quantity","TradePrice","TradeMoney","CurrencyPrimary","IBCommission",'
        '"IBCommissionCurrency"\n'
        '"BUY","20230803","US9220427424","1","97.84","97.84","USD","-0.979","USD"\n'
        '"SELL","20230609","","-10012","1.10725","-11085.787","USD","-1.79802","CHF"\n'
    )
    cash = (
        '"Type","SettleDate","ISIN","Description","Amount","CurrencyPrimary"\n'
        '"Dividends","20230623","US9220427424","VT(US9220427424) CASH DIVIDEND USD 0.6504 PER SHARE","137.23","USD"\n'
        '"Withholding Tax","20230623","US9220427424","VT(US9220427424) CASH DIVIDEND - US TAX","-20.58","USD"\n'
    )

    assert ibkr_csv.recognises(trades)
    assert ibkr_csv.recognises(cash)
    assert told(ibkr_csv.read(trades)) == ["2 BUY 2023-08-03 ?US9220427424 1 at 97.84 = 97.84 USD fee 0.979"]
    assert found(ibkr_csv.read(trades)) == [
        "3 refused: neither symbol nor ISIN: a currency, it seems; add Symbol and AssetClass to the Flex query"
    ]
    assert told(ibkr_csv.read(cash)) == ["2+3 DIVIDEND 2023-06-23 ?US9220427424 = 137.23 USD tax 20.58"]
