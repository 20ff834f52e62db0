# ruff: noqa: E501  (rows of files are as long as they are)
from __future__ import annotations

import pytest

from closingbell.usecases.imports import degiro_account, degiro_transactions
from tests.unit.imports.support import found, told

ACCOUNT_EN = "Date,Time,Value date,Product,ISIN,Description,FX,Change,,Balance,,Order Id\n"
ACCOUNT_NL = "Datum,Tijd,Valutadatum,Product,ISIN,Omschrijving,FX,Mutatie,,Saldo,,Order Id\n"
VICI = "15-12-2022,16:55,15-12-2022,VICI PROPERTIES,US9256521090"


def test_a_trade_abroad_with_its_conversion_and_its_fee() -> None:
    text = ACCOUNT_NL + (
        f'{VICI},Valuta Creditering,"1,0624",USD,"33,90",USD,"0,00",5925d76b-eb36-46e3-\n'
        ",,,,,,,,,,,b017-a61a6d03c3e7\n"
        f'{VICI},Valuta Debitering,,EUR,"-31,91",EUR,"0,07",5925d76b-eb36-46e3-b017-a61a6d03c3e7\n'
        f'{VICI},DEGIRO Transactiekosten en/of kosten van derden,,EUR,"-1,00",EUR,"31,98",5925d76b-eb36-46e3-b017-a61a6d03c3e7\n'
        f'{VICI},"Koop 1 @ 33,9 USD",,USD,"-33,90",USD,"-33,90",5925d76b-eb36-46e3-b017-a61a6d03c3e7\n'
    )

    assert degiro_account.recognises(text)
    assert told(degiro_account.read(text)) == [
        "2+4 CONVERSION 2022-12-15 = 31.91 EUR for 33.9 USD",
        "5 FEE 2022-12-15 = 1 EUR",
        "6 BUY 2022-12-15 ?US9256521090 1 at 33.9 = 33.9 USD",
    ]
    assert found(degiro_account.read(text)) == []


def test_cash_dividends_and_fees_of_an_english_statement() -> None:
    text = ACCOUNT_EN + (
        "27-05-2024,08:00,27-05-2024,,,iDEAL Deposit,,EUR,100.00,EUR,100.00,\n"
        "27-05-2024,07:59,27-05-2024,,,Reservation iDEAL / Sofort Deposit,,EUR,-100.00,EUR,0.00,\n"
        "24-05-2024,07:41,24-05-2024,AT&T INC.,US00206R1023,Dividend,,USD,1.39,USD,1.39,\n"
        "24-05-2024,07:41,24-05-2024,AT&T INC.,US00206R1023,Dividend Tax,,USD,-0.21,USD,1.18,\n"
        "23-05-2024,07:41,23-05-2024,,,FX Credit,,EUR,12.28,EUR,12.28,\n"
        "23-05-2024,07:41,23-05-2024,,,FX Debit,1.0379,USD,-12.75,USD,0.00,\n"
        "22-05-2024,07:41,22-05-2024,,,Giro Exchange Connection Fee 2024,,EUR,-2.50,EUR,9.78,\n"
        "21-05-2024,07:41,21-05-2024,,,Flatex Interest,,EUR,-0.03,EUR,9.75,\n"
        "20-05-2024,09:01,20-05-2024,SMI ETF,CH0019852802,"
        '"Buy 1,060 SMI ETF@106.02 CHF (CH0019852802)",,CHF,"-112,381.20",CHF,0.00,o1\n'
        "20-05-2024,09:01,20-05-2024,SMI ETF,CH0019852802,DEGIRO Transaction and/or third party fees,,CHF,-2.79,CHF,0.00,o1\n"
        "19-05-2024,09:00,19-05-2024,AVIVA,GB00BPQY8M80,Sell 4 AVIVA@496 GBX (GB00BPQY8M80),,GBP,19.84,GBP,114.31,o2\n"
        "18-05-2024,13:30,18-05-2024,,,flatex Withdrawal,,EUR,-15.10,EUR,0.00,\n"
    )

    assert told(degiro_account.read(text)) == [
        "2 DEPOSIT 2024-05-27 = 100 EUR",
        "4+5 DIVIDEND 2024-05-24 ?US00206R1023 = 1.39 USD tax 0.21",
        "6+7 CONVERSION 2024-05-23 = 12.75 USD for 12.28 EUR",
        "8 FEE 2024-05-22 = 2.5 EUR",
        "9 INTEREST 2024-05-21 = -0.03 EUR",
        "10+11 BUY 2024-05-20 ?CH0019852802 1060 at 106.02 = 112381.2 CHF fee 2.79",
        "12 SELL 2024-05-19 ?GB00BPQY8M80 4 at 4.96 = 19.84 GBP",
        "13 WITHDRAWAL 2024-05-18 = 15.1 EUR",
    ]
    assert found(degiro_account.read(text)) == ["3 left_out: a deposit announced: counted when it arrives"]


@pytest.mark.parametrize(
    ("side", "words"),
    [
        ("BUY", "Kauf 6 zu je ISHARES@49,785 EUR (IE00B4L5Y983)"),
        ("BUY", "Achat 6 ISHARES@49,785 EUR (IE00B4L5Y983)"),
        ("BUY", "Compra 6 ISHARES@49,785 EUR (IE00B4L5Y983)"),
        ("BUY", "Nákup 6 ISHARES@49,785 EUR (IE00B4L5Y983)"),
        ("SELL", "Verkauf 6 ISHARES@49,785 EUR (IE00B4L5Y983)"),
        ("SELL", "Vente 6 ISHARES@49,785 EUR (IE00B4L5Y983)"),
        ("SELL", "Vendita 6 ISHARES@49,785 EUR (IE00B4L5Y983)"),
    ],
)
def test_trades_in_the_users_language(side: str, words: str) -> None:
    amount = "-298,71" if side == "BUY" else "298,71"
    text = ACCOUNT_NL + f'15-05-2019,09:05,15-05-2019,ISHARES,IE00B4L5Y983,"{words}",,EUR,"{amount}",EUR,"0,64",x\n'

    assert told(degiro_account.read(text)) == [f"2 {side} 2019-05-15 ?IE00B4L5Y983 6 at 49.785 = 298.71 EUR"]


def test_words_that_were_decoded_wrongly_once_are_understood() -> None:
    text = ACCOUNT_NL + (
        "19-09-2024,20:20,19-09-2024,APPLE INC,US0378331005,Levantamento de divisa,1.1191,USD,-457.52,USD,0.00,o1\n"
        "19-09-2024,20:20,19-09-2024,APPLE INC,US0378331005,CrÃ©dito de divisa,,EUR,408.83,EUR,638.81,o1\n"
    )

    assert told(degiro_account.read(text)) == ["2+3 CONVERSION 2024-09-19 = 457.52 USD for 408.83 EUR"]


def test_what_does_not_add_up_or_is_not_known_is_refused() -> None:
    text = ACCOUNT_EN + (
        "08-03-2024,11:25,08-03-2024,TOYOTA,JP3633400001,Buy 30 TOYOTA@22.4 EUR (JP3633400001),,EUR,-700.00,EUR,1.00,o1\n"
        "07-03-2024,11:25,07-03-2024,TOYOTA,JP3633400001,Lottery prize,,EUR,7.00,EUR,1.00,\n"
        "06-03-2024,11:25,06-03-2024,,,FX Debit,1.0379,USD,-12.75,USD,0.00,\n"
        "05-03-2024,11:25,05-03-2024,PROSUS,NL0013654783,STOCK DIVIDEND: Koop 999 @ 0 EUR,,EUR,0.00,EUR,1.00,\n"
    )

    assert told(degiro_account.read(text)) == []
    assert found(degiro_account.read(text)) == [
        "2 refused: 'Buy 30 TOYOTA@22.4 EUR' does not come to 700.00 EUR",
        "3 refused: description 'Lottery prize' is not known",
        "4 refused: half of a currency conversion whose other half is missing",
        "5 left_out: a dividend in shares: enter it as a corporate action",
    ]


TRANSACTIONS = (
    "Date,Time,Product,ISIN,Reference exchange,Venue,Quantity,Price,,Local value,,Value,,Exchange rate,"
    "Transaction and/or third party fees,,Total,,Order ID\n"
)


def test_transactions_settled_in_the_currency_of_the_account() -> None:
    text = TRANSACTIONS + (
        '10-01-2024,14:30,APPLE INC,US0378331005,NSY,XNAS,10,185.50,USD,"-1,855.00",USD,"-1,721.63",EUR,1.0775,-2.50,EUR,'
        '"-1,724.13",EUR,o1\n'
        "20-02-2024,10:15,VANGUARD,IE00B3XXRP09,EAM,XAMS,-5,78.22,EUR,391.10,EUR,391.10,EUR,,-1.00,EUR,390.10,EUR,o2\n"
        "21-02-2024,10:15,PROSUS,NL0013654783,EAM,XAMS,2,0.00,EUR,0.00,EUR,0.00,EUR,,,,0.00,EUR,\n"
        "22-02-2024,10:15,NOBODY,12345,EAM,XAMS,2,1.00,EUR,-2.00,EUR,-2.00,EUR,,,,-2.00,EUR,o3\n"
    )

    assert degiro_transactions.recognises(text)
    assert not degiro_account.recognises(text)
    assert told(degiro_transactions.read(text)) == [
        "2 BUY 2024-01-10 ?US0378331005 10 at 172.163 = 1721.63 EUR fee 2.5",
        "3 SELL 2024-02-20 ?IE00B3XXRP09 5 at 78.22 = 391.1 EUR fee 1",
    ]
    assert found(degiro_transactions.read(text)) == [
        "4 left_out: shares without cash: what the company did; enter it as a corporate action or a transfer",
        "5 refused: ISIN '12345' is not an ISIN",
    ]


def test_newer_transactions_name_the_currency_in_the_heading() -> None:
    text = (
        "Datum,Tijd,Product,ISIN,Beurs,Uitvoeringsplaats,Aantal,Koers,,Lokale waarde,,Waarde EUR,Wisselkoers,"
        "AutoFX Kosten,Transactiekosten en/of kosten van derden EUR,Totaal EUR,Order ID\n"
        '07-08-2024,21:55,APPLE INC,US0378331005,NDQ,XNAS,-5,"131,1700",USD,"655,85",USD,"567,20",1.1563,'
        '"-1,42","-2,00","563,78",o1\n'
    )

    assert degiro_transactions.recognises(text)
    assert told(degiro_transactions.read(text)) == [
        "2 SELL 2024-08-07 ?US0378331005 5 at 113.44 = 567.2 EUR fee 3.42",
    ]
