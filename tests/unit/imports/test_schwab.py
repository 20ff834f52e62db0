# ruff: noqa: E501  (rows of files are as long as they are)
from __future__ import annotations

from closingbell.usecases.imports.schwab import read, recognises
from tests.unit.imports.support import found, told

HEADER = '"Date","Action","Symbol","Description","Quantity","Price","Fees & Comm","Amount"\n'


def test_every_kind_of_row() -> None:
    text = HEADER + (
        '"03/01/2022","MoneyLink Transfer","","Tfr BANK","","","","$1,000,000.00"\n'
        '"10/09/2023","Buy","BAR","BAR CORP","300","$135.0075","$1.34","-$40503.61"\n'
        '"10/24/2023","Sell","BRK/B","BERKSHIRE","1,300","$140.35","$1.34","$182453.66"\n'
        '"11/10/2023","Qualified Dividend","IBN","ICICI","","","","$10.00"\n'
        '"11/10/2023","NRA Tax Adj","IBN","ICICI","","","","-$1.50"\n'
        '"11/11/2023","ADR Mgmt Fee","IBN","ICICI","","","","-$0.50"\n'
        '"11/12/2023","Long Term Cap Gain Reinvest","DGLRX","BNY","","","","$99.02"\n'
        '"11/13/2023 as of 11/12/2023","Reinvest Shares","DGLRX","BNY","4.546","$21.78","","-$99.02"\n'
        '"11/27/2023","Credit Interest","","SCHWAB1 INT","","","","$1.63"\n'
        '"11/28/2023","Margin Interest","","MARGIN","","","","-$2.10"\n'
        '"12/01/2023","Wire Sent","","WIRED","","","","-$100.00"\n'
        '"12/04/2023","Journaled Shares","SPY","SPDR","-2","$455.00","",""\n'
    )

    assert recognises(text)
    assert told(read(text)) == [
        "2 DEPOSIT 2022-03-01 = 1000000 USD",
        "3 BUY 2023-10-09 BAR 300 at 135.0075 = 40502.27 USD fee 1.34",
        "4 SELL 2023-10-24 BRK-B 1300 at 140.35 = 182455 USD fee 1.34",
        "5+6 DIVIDEND 2023-11-10 IBN = 10 USD tax 1.5",
        "7 FEE 2023-11-11 IBN = 0.5 USD",
        "8 CAPITAL_GAIN 2023-11-12 DGLRX = 99.02 USD",
        "9 BUY 2023-11-12 DGLRX 4.546 at 21.78 = 99.02 USD",
        "10 INTEREST 2023-11-27 = 1.63 USD",
        "11 INTEREST 2023-11-28 = -2.1 USD",
        "12 WITHDRAWAL 2023-12-01 = 100 USD",
        "13 TRANSFER_OUT 2023-12-04 SPY 2 at 455 USD",
    ]
    assert found(read(text)) == []


def test_what_companies_do_is_told_and_what_is_not_known_is_refused() -> None:
    text = (
        "Transactions for account XXXX-1234 as of today\n"
        + HEADER.replace('"', "")
        + (
            "07/15/2024 as of 07/12/2024,Stock Split,AVGO,BROADCOM INC,9,$170.067,,\n"
            "08/22/2022,Spin-off,APE,AMC PFD,344,,,\n"
            "10/14/2024,Cash In Lieu,SCHB,SCHWAB,,,,$5.49\n"
            "10/15/2024,Promotional Award,,GIFT,,,,$5.00\n"
            "13/45/2024,Buy,SPY,SPDR,1,$1.00,,-$1.00\n"
            "10/16/2024,Buy,SPY,SPDR,-1,$1.00,,-$1.00\n"
            "Transactions Total,,,,,,,-$26,582.91\n"
        ).replace("-$26,582.91", '"-$26,582.91"')
    )

    assert recognises(text)
    assert told(read(text)) == []
    assert found(read(text)) == [
        "3 left_out: a split: it comes from the data provider and is applied by itself",
        "4 left_out: a spin-off: enter it as a corporate action",
        "5 refused: cash for a fraction of a share: enter the fraction as SELL at this amount, then leave this line out",
        "6 refused: action 'Promotional Award' is not known",
        "7 refused: date '13/45/2024' is not a date in this format's form",
        "8 refused: a purchase of -1 shares: is it one, or a sale?",
        "9 left_out: the sum of the file",
    ]
