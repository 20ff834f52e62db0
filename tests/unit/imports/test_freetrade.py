from __future__ import annotations

from closingbell.usecases.imports.freetrade import read, recognises
from tests.unit.imports.support import found, told

HEADER = (
    "Title,Type,Timestamp,Account Currency,Total Amount,Buy / Sell,Ticker,ISIN,Price per Share in Account Currency,"
    "Stamp Duty,Quantity,Order ID,Instrument Currency,FX Rate,Base FX Rate,FX Fee Amount,"
    "Dividend Withheld Tax Percentage,Dividend Withheld Tax Amount\n"
)


def test_every_kind_of_row() -> None:
    text = HEADER + (
        "Top up,TOP_UP,2022-01-03T14:04:03.000Z,GBP,2000.00,,,,,,,,,,,,,\n"
        "Apple,ORDER,2022-01-04T15:00:00.000Z,GBP,998.48,BUY,AAPL,US0378331005,109.328035,0.00,9.09199546,O1,USD,1.37009,,4.47,,\n"
        "SMT,ORDER,2022-01-05T10:01:00.000Z,GBP,482.67,BUY,SMT,GB00BLDYK618,12.05274245,0.56,40,O2,GBP,,,,,\n"
        "Apple,DIVIDEND,2022-02-12T02:30:00.000Z,GBP,1.37,,AAPL,US0378331005,,,10.13713692,,USD,,0.7246,0.00,15,0.33\n"
        "Interest,INTEREST_FROM_CASH,2022-02-15T00:00:00.000Z,GBP,1.81,,,,,,,,,,,,,\n"
        "Withdrawal,WITHDRAWAL,2022-02-24T19:54:31.000Z,GBP,400.00,,,,,,,,,,,,,\n"
    )

    assert recognises(text)
    assert told(read(text)) == [
        "2 DEPOSIT 2022-01-03 = 2000 GBP",
        "3 BUY 2022-01-04 AAPL 9.09199546 at 109.328035 = 994.01 GBP fee 4.47",
        "4 BUY 2022-01-05 ?GB00BLDYK618 40 at 12.052742 = 482.11 GBP tax 0.56",
        "5 DIVIDEND 2022-02-12 AAPL 10.13713692 = 1.61 GBP tax 0.24",
        "6 INTEREST 2022-02-15 = 1.81 GBP",
        "7 WITHDRAWAL 2022-02-24 = 400 GBP",
    ]
    assert found(read(text)) == []


def test_what_is_not_known_is_refused_with_its_line() -> None:
    text = HEADER + (
        "Statement,MONTHLY_STATEMENT,2022-01-31T00:00:00.000Z,,,,,,,,,,,,,,,\n"
        "Mystery,ISA_FLIP,2022-02-01T00:00:00.000Z,GBP,1.00,,,,,,,,,,,,,\n"
        "Apple,DIVIDEND,2022-02-12T02:30:00.000Z,GBP,1.37,,AAPL,US0378331005,,,10,,USD,,,0.00,15,0.33\n"
    )

    assert found(read(text)) == [
        "2 left_out: a statement, which moves nothing",
        "3 refused: type 'ISA_FLIP' is not known",
        "4 refused: tax was withheld in another currency and the row has no FX rate",
    ]
