from __future__ import annotations

import pytest

from closingbell.usecases.imports.ghostfolio import read, recognises
from tests.unit.imports.support import found, told

EXPORT = """{
  "meta": {"date": "2023-02-05T00:00:00.000Z", "version": "dev"},
  "accounts": [{"balance": 2000, "currency": "USD", "id": "b2d3", "name": "Trading"}],
  "activities": [
    {"fee": 49, "quantity": 0, "type": "FEE", "unitPrice": 0, "currency": "USD", "dataSource": "MANUAL",
     "date": "2021-09-01T00:00:00.000Z", "symbol": "14a69cb9"},
    {"comment": "My first order", "fee": 19, "quantity": 5, "type": "BUY", "unitPrice": 298.58, "currency": "USD",
     "dataSource": "YAHOO", "date": "2021-09-16T00:00:00.000Z", "symbol": "MSFT"},
    {"fee": 0, "quantity": 5, "type": "DIVIDEND", "unitPrice": 0.62, "currency": "USD",
     "dataSource": "YAHOO", "date": "2021-11-17T00:00:00.000Z", "symbol": "MSFT"},
    {"fee": 150, "quantity": 0.1, "type": "SELL", "unitPrice": 7231.5, "currency": "GBp",
     "dataSource": "YAHOO", "date": "2021-12-01T10:30:00.000Z", "symbol": "VOD.L"},
    {"fee": 0, "quantity": 1, "type": "INTEREST", "unitPrice": 1.25, "currency": "USD",
     "dataSource": "MANUAL", "date": "2021-12-31T00:00:00.000Z", "symbol": "cash"},
    {"fee": 0, "quantity": 1, "type": "BUY", "unitPrice": 500000, "currency": "USD",
     "dataSource": "MANUAL", "date": "2022-01-01T00:00:00.000Z", "symbol": "7e91b7d4"},
    {"fee": 0, "quantity": 1, "type": "ITEM", "unitPrice": 500000, "currency": "USD",
     "dataSource": "MANUAL", "date": "2022-01-01T00:00:00.000Z", "symbol": "Flat"},
    {"fee": 0, "quantity": 0, "type": "BUY", "unitPrice": 0, "currency": "USD",
     "dataSource": "YAHOO", "date": "2050-06-06T00:00:00.000Z", "symbol": "MSFT"},
    {"fee": 0, "quantity": 1, "type": "STAKE", "unitPrice": 1, "currency": "USD",
     "dataSource": "YAHOO", "date": "2022-06-06T00:00:00.000Z", "symbol": "MSFT"}
  ]
}
"""


def test_every_activity_of_an_export() -> None:
    assert recognises(EXPORT)
    assert told(read(EXPORT)) == [
        "5 FEE 2021-09-01 = 49 USD",
        "7 BUY 2021-09-16 MSFT 5 at 298.58 USD fee 19",
        "9 DIVIDEND 2021-11-17 MSFT 5 = 3.1 USD",
        "11 SELL 2021-12-01 VOD.L 0.1 at 72.315 GBP fee 1.5",
        "13 INTEREST 2021-12-31 = 1.25 USD",
        "15 BUY 2022-01-01 ?7e91b7d4 1 at 500000 USD",
    ]
    assert found(read(EXPORT)) == [
        "17 left_out: item: nothing that is held in an account of shares and cash",
        "19 left_out: a plan of no shares",
        "21 refused: type 'STAKE' is not known",
    ]
    assert read(EXPORT).entries[1].note == "My first order"
    assert '"STAKE"' in read(EXPORT).findings[2].text


def test_csv_with_its_many_dates() -> None:
    text = (
        "Date,Code,DataSource,Currency,Price,Quantity,Action,Fee,Note\n"
        "01-09-2021,Account Opening Fee,MANUAL,USD,0,0,fee,49,\n"
        "16-09-2021,MSFT,YAHOO,USD,298.580,5,buy,19.00,My first order\n"
        "17/11/2021,MSFT,YAHOO,USD,0.62,5,dividend,0.00,\n"
        "20211118,US5949181045,YAHOO,USD,300.00,1,sell,0.00,\n"
    )

    assert recognises(text)
    assert told(read(text)) == [
        "2 FEE 2021-09-01 = 49 USD",
        "3 BUY 2021-09-16 MSFT 5 at 298.58 USD fee 19",
        "4 DIVIDEND 2021-11-17 MSFT 5 = 3.1 USD",
        "5 SELL 2021-11-18 ?US5949181045 1 at 300 USD",
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"activities": [{"dataSource": "YAHOO", "unitPrice": 1',
        '{"activities": [{"dataSource": "YAHOO", "unitPrice": 1}',
        '{"activities": [1 2, "dataSource" "unitPrice"]}',
        '{"activities": ' + "[" * 100_000 + '"dataSource" "unitPrice"',
        '{"activities": [{"dataSource": "YAHOO", "unitPrice": ' + "9" * 100_000 + "}]}",
        '{"activities": [{"dataSource": "YAHOO", "unitPrice": 1e999999999}]}',
        '{"activities": [{"dataSource": "YAHOO", "unitPrice": 1e-999999999}]}',
    ],
)
def test_broken_json_is_a_finding(text: str) -> None:
    assert recognises(text)
    assert all(" refused: " in finding for finding in found(read(text)))
    assert read(text).findings


def test_an_evening_that_may_be_the_next_day_is_told() -> None:
    text = EXPORT.replace("2021-09-16T00:00:00.000Z", "2021-09-15T22:00:00.000Z")

    assert read(text).entries[1].doubt == (
        "2021-09-15 22:00 UTC may stand for midnight of the next day; it is counted as it stands"
    )
    assert read(EXPORT).entries[3].doubt == ""


def test_a_file_of_two_accounts_is_told() -> None:
    text = EXPORT.replace('"fee": 49,', '"accountId": "a", "fee": 49,').replace(
        '"fee": 19,', '"accountId": "b", "fee": 19,'
    )

    assert found(read(text))[0] == "1 doubtful: the file holds 2 accounts; all go into this one"


def test_shares_are_kept_with_ten_decimals_and_a_sign_against_the_type_is_refused() -> None:
    heading = "Date,Code,DataSource,Currency,Price,Quantity,Action,Fee,Note\n"
    lines = ("0.30000000000000004,buy,0", "0.12345678919,buy,0", "-2,sell,0", "-2,buy,0", "-2,dividend,0", "1,buy,-1")
    reading = read(heading + "".join(f"2021-09-16,MSFT,YAHOO,USD,1,{line},\n" for line in lines))

    assert [str(entry.quantity.normalize()) for entry in reading.entries if entry.quantity] == [
        "0.3", "0.1234567892", "2",
    ]  # fmt: skip
    assert [entry.doubt for entry in reading.entries] == [
        "", "0.12345678919 shares are kept as 0.1234567892, with ten decimals", "",
    ]  # fmt: skip
    assert found(reading) == [
        "5 refused: a BUY of -2 shares: is it one, or a SELL?",
        "6 refused: a DIVIDEND of -2 shares: is it one, or a SELL?",
        "7 refused: fee must not be negative, it is -1",
    ]
