# ruff: noqa: E501  (rows of files are as long as they are)
from __future__ import annotations

from closingbell.usecases.imports.trading212 import read, recognises
from tests.unit.imports.support import found, told

HEADER = (
    "Action,Time,ISIN,Ticker,Name,No. of shares,Price / share,Currency (Price / share),Exchange rate,Result,"
    "Currency (Result),Total,Currency (Total),Withholding tax,Currency (Withholding tax),Notes,ID,"
    "Currency conversion fee,Currency (Currency conversion fee),Stamp duty reserve tax,"
    "Currency (Stamp duty reserve tax)\n"
)


def test_every_kind_of_row_as_it_was_settled() -> None:
    text = HEADER + (
        "Deposit,2024-01-02 08:00:00,,,,,,,,,,500.00,GBP,,,Bank transfer,D1,,,,\n"
        "Market buy,2024-01-02 15:00:00.100,US0378331005,AAPL,Apple,2.5,185.00,USD,1.27000,,,364.67,GBP,,,,T1,0.50,GBP,,\n"
        "Limit buy,2024-01-03 09:00:00,GB00BH4HKS39,VOD,Vodafone,100,68.50,GBX,100.00000,,,68.84,GBP,,,,T2,,,0.34,GBP\n"
        "Market sell,2024-02-01 15:00:00,US0378331005,AAPL,Apple,1,190.00,USD,1.26000,4.1,GBP,150.55,GBP,,,,T3,0.24,GBP,,\n"
        "Dividend (Ordinary),2024-02-15 10:00:00,US0378331005,AAPL,Apple,1.5,0.24,USD,Not available,,,0.24,GBP,0.04,GBP,,,,,,\n"
        "Interest on cash,2024-02-29 02:00:00,,,,,,,,,,0.12,GBP,,,Interest on cash,I1,,,,\n"
        "Result adjustment,2024-03-01 02:00:00,,,,,,,,,,0.75,GBP,,,Withholding tax refund,R1,,,,\n"
        "Withdrawal,2024-03-02 10:00:00,,,,,,,,,,-100.00,GBP,,,Sent to bank,W1,,,,\n"
        "Dividend (Return of capital),2024-03-03 10:00:00,US0378331005,AAPL,Apple,1.5,0.24,USD,,,,0.24,GBP,0.00,GBP,,,,,,\n"
    )

    assert recognises(text)
    assert told(read(text)) == [
        "2 DEPOSIT 2024-01-02 = 500 GBP",
        "3 BUY 2024-01-02 AAPL 2.5 at 145.668 = 364.17 GBP fee 0.5",
        "4 BUY 2024-01-03 ?GB00BH4HKS39 100 at 0.685 = 68.5 GBP tax 0.34",
        "5 SELL 2024-02-01 AAPL 1 at 150.79 = 150.79 GBP fee 0.24",
        "6 DIVIDEND 2024-02-15 AAPL 1.5 = 0.28 GBP tax 0.04",
        "7 INTEREST 2024-02-29 = 0.12 GBP",
        "8 TAX 2024-03-01 = -0.75 GBP",
        "9 WITHDRAWAL 2024-03-02 = 100 GBP",
        "10 CAPITAL_RETURN 2024-03-03 AAPL 1.5 = 0.24 GBP",
    ]
    assert found(read(text)) == []


def test_what_is_left_out_and_what_is_refused() -> None:
    text = HEADER + (
        "Stock split close,2025-03-24 07:24:24,CA46500E8678,ISOU,IsoEnergy,29.8,2.07,USD,1.03,0,EUR,59.68,EUR,,,,S1,,,,\n"
        "Card magic,2025-03-25 07:24:24,,,,,,,,,,59.68,EUR,,,,S2,,,,\n"
        "Result adjustment,2025-03-26 07:24:24,,,,,,,,,,1,EUR,,,Goodwill,S3,,,,\n"
        "Market buy,2025-03-27 07:24:24,US0378331005,AAPL,Apple,1,100,USD,1,,,1.00,EUR,,,,S4,2,EUR,,\n"
        "Market buy,2025-03-28 07:24:24,US0378331005,AAPL,Apple,1,100,USD,1,,,101.00,EUR,,,,S5,2,USD,,\n"
    )

    assert told(read(text)) == []
    assert found(read(text)) == [
        "2 left_out: a split: it comes from the data provider and is applied by itself",
        "3 refused: action 'Card magic' is not known",
        "4 refused: a result adjustment for 'Goodwill': is it interest, a fee or a tax?",
        "5 refused: the total without fees must be above zero, it is -1.00",
        "6 refused: currency conversion fee is in USD, the total in EUR",
    ]
    assert read(text).findings[1].text.startswith("Card magic,2025-03-25 07:24:24")


def test_tax_in_another_currency_is_told_and_not_guessed() -> None:
    text = HEADER + (
        "Dividend (Dividend),2023-12-27 12:05:25,US56035L1044,MAIN,Main Street,0.15,0.23,USD,Not available,,,"
        "0.03,EUR,0.01,USD,,,,,,\n"
    )

    (entry,) = read(text).entries
    assert told(read(text)) == ["2 DIVIDEND 2023-12-27 MAIN 0.15 = 0.03 EUR"]
    assert entry.doubt == "0.01 USD were kept back; only the net is in EUR, so no tax is booked"


def test_columns_in_another_order_and_unknown_ones_do_not_matter() -> None:
    text = (
        "Nonsense,Action,Time,Total,Currency (Total),ISIN,Ticker,No. of shares,Notes,ID\n"
        "x,Deposit,2024-01-02 08:00:00,500.00,GBP,,,,,D1\n"
    )

    assert recognises(text)
    assert told(read(text)) == ["2 DEPOSIT 2024-01-02 = 500 GBP"]
