from __future__ import annotations

from datetime import UTC, datetime

import pytest

from closingbell.usecases.imports.keys import source_keys
from closingbell.usecases.imports.orders_csv import NAME, read, recognises
from tests.unit.imports.support import found, told

HEADER = "date,type,symbol,quantity,price,fee,currency"
TYPES = (
    "BUY, SELL, DEPOSIT, WITHDRAWAL, TRANSFER_IN, TRANSFER_OUT, DIVIDEND, CAPITAL_GAIN, CAPITAL_RETURN, INTEREST, FEE,"
    " TAX, CONVERSION"
)


def reasons(*lines: str, header: str = HEADER) -> list[str]:
    findings = read("\n".join([header, *lines])).findings
    return [f"line {finding.line}: {finding.reason}" if finding.line else finding.reason for finding in findings]


def test_a_trade_and_a_deposit_are_read() -> None:
    text = (
        f"{HEADER},executed_at\n"
        "2012-09-04,BUY,aapl,20,675.00,4.95,usd,2012-09-04T10:05:00-04:00\n"
        "2012-09-04,DEPOSIT,,,100000,0,USD,\n"
    )

    assert recognises(text)
    assert told(read(text)) == ["2 BUY 2012-09-04 AAPL 20 at 675 USD fee 4.95", "3 DEPOSIT 2012-09-04 = 100000 USD"]
    assert read(text).entries[0].executed_at == datetime(2012, 9, 4, 14, 5, tzinfo=UTC)
    assert read(text).entries[1].executed_at is None


def test_every_other_kind_of_order() -> None:
    text = f"{HEADER},tax,amount,counter_amount,counter_currency,note\n" + (
        "2012-09-05,TRANSFER_IN,AAPL,5,,0,USD,,,,,from elsewhere\n"
        "2012-09-06,TRANSFER_OUT,AAPL,2,600,0,USD,,,,,\n"
        "2012-09-07,DIVIDEND,AAPL,20,2.65,0,USD,7.95,,,,\n"
        "2012-09-08,DIVIDEND,AAPL,305,0.031737,0,USD,,,,,\n"
        "2012-09-09,CAPITAL_GAIN,FUND,,,0,USD,,99.02,,,\n"
        "2012-09-10,INTEREST,,,-1.25,0,USD,,,,,\n"
        "2012-09-11,FEE,,,4.90,0,USD,,,,,\n"
        "2012-09-12,TAX,,,,0,USD,,-0.75,,,\n"
        "2012-09-13,CONVERSION,,,1000,0,EUR,,,1100.5,USD,\n"
        "2012-09-14,BUY,AAPL,300,135.0075,1.34,USD,,40502.27,,,\n"
        "2012-09-15,DIVIDEND,KK,3,0.0416,0,KWD,,,,,\n"
        "2012-09-16,DIVIDEND,7203.T,3,10.5,0,JPY,,,,,\n"
    )

    assert told(read(text)) == [
        "2 TRANSFER_IN 2012-09-05 AAPL 5 USD",
        "3 TRANSFER_OUT 2012-09-06 AAPL 2 at 600 USD",
        "4 DIVIDEND 2012-09-07 AAPL 20 = 53 USD tax 7.95",
        "5 DIVIDEND 2012-09-08 AAPL 305 = 9.68 USD",
        "6 CAPITAL_GAIN 2012-09-09 FUND = 99.02 USD",
        "7 INTEREST 2012-09-10 = -1.25 USD",
        "8 FEE 2012-09-11 = 4.9 USD",
        "9 TAX 2012-09-12 = -0.75 USD",
        "10 CONVERSION 2012-09-13 = 1000 EUR for 1100.5 USD",
        "11 BUY 2012-09-14 AAPL 300 at 135.0075 = 40502.27 USD fee 1.34",
        "12 DIVIDEND 2012-09-15 KK 3 = 0.125 KWD",
        "13 DIVIDEND 2012-09-16 7203.T 3 = 32 JPY",
    ]
    assert found(read(text)) == []


def test_columns_by_the_names_that_others_give_them_and_a_split_that_is_told() -> None:
    text = (
        "date,action,symbol,quantity,price,fees,currency\n"
        "2022-06-06,STOCK_SPLIT,AMZN,209,0.00,0.00,USD\n"
        "2022-05-03,BUY,AMZN,1,2480.00,0.00,USD\n"
    )

    assert recognises(text)
    assert told(read(text)) == ["3 BUY 2022-05-03 AMZN 1 at 2480 USD"]
    assert found(read(text)) == ["2 left_out: a split: it comes from the data provider and is applied by itself"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2012-09-04,BUY,AAPL,20,675", "line 2: 5 fields where the header has 7"),
        ("04/09/2012,BUY,AAPL,20,675,0,USD", "line 2: date '04/09/2012' is not a date; write YYYY-MM-DD"),
        ("2012-09-04,HOLD,AAPL,20,675,0,USD", f"line 2: type 'HOLD' is not one of {TYPES}"),
        ("2012-09-04,BUY,AA PL,20,675,0,USD", "line 2: symbol 'AA PL' is not a symbol, as in AAPL or VOD.L"),
        ("2012-09-04,BUY,AAPL,-20,675,0,USD", "line 2: quantity must be above zero"),
        ("2012-09-04,BUY,AAPL,many,675,0,USD", "line 2: quantity: 'many' is not a number"),
        ("2012-09-04,BUY,AAPL,NaN,675,0,USD", "line 2: quantity: NaN is not a number that can be stored"),
        ("2012-09-04,BUY,AAPL,1,0.1234567,0,USD", "line 2: price: 0.1234567 has more than 6 decimals"),
        ("2012-09-04,BUY,AAPL,1,-1,0,USD", "line 2: price must not be negative"),
        ("2012-09-04,BUY,AAPL,1,1,-1,USD", "line 2: fee must not be negative"),
        ("2012-09-04,BUY,AAPL,1,1,0,Dollar", "line 2: currency 'Dollar' is not three letters, as in USD"),
        ("2012-09-04,BUY,AAPL,1e30,1,0,USD", "line 2: quantity: 1e+30 is too large"),
        ("2012-09-04,DEPOSIT,AAPL,,100,0,USD", "line 2: a DEPOSIT moves cash: leave the symbol empty"),
        ("2012-09-04,WITHDRAWAL,,,,0,USD", "line 2: price must hold the amount"),
        ("2012-09-04,TAX,AAPL,,1,0,USD", "line 2: a TAX moves cash: leave the symbol empty"),
        ("2012-09-04,FEE,,,0,0,USD", "line 2: the amount must be above zero"),
        (
            "2012-09-04,DIVIDEND,AAPL,,,0,USD",
            "line 2: price must hold the payment per share, or amount the whole of it",
        ),
        ("2012-09-04,DIVIDEND,AAPL,1,-1,0,USD", "line 2: price must not be negative"),
        ("2012-09-04,DIVIDEND,,1,1,0,USD", "line 2: symbol '' is not a symbol"),
        ("2012-09-04,CONVERSION,,,1,0,USD", "line 2: a CONVERSION must say what came for it"),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_reason(line: str, reason: str) -> None:
    (reason_told,) = reasons(line)
    assert reason_told.lower().startswith(reason.lower())


def test_every_bad_line_is_named() -> None:
    assert len(reasons("x,BUY,AAPL,1,1,0,USD", "2012-09-04,BUY,AAPL,1,1,0,USD", "2012-09-04,NO,AAPL,1,1,0,USD")) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the file is empty"),
        (HEADER, "the file holds no orders"),
        ("date;type;symbol;quantity;price;fee;currency\n", "line 1: fields are separated by semicolons"),
        ("date,type\n", "line 1: the columns symbol, quantity, price, fee, currency are missing"),
    ],
)
def test_a_file_of_another_form_says_what_is_wrong(text: str, reason: str) -> None:
    assert reasons(*text.splitlines()[1:], header=text.split("\n", maxsplit=1)[0])[0].startswith(reason)


def test_identical_lines_are_two_orders_and_the_same_line_elsewhere_is_the_same_order() -> None:
    line = "2012-09-04,BUY,AAPL,20,675.00,0,USD"
    twice = source_keys(read(f"{HEADER}\n{line}\n{line}\n").entries, NAME)
    once = source_keys(read(f"{HEADER}\n2012-09-04,buy,AAPL,20.0,675,0.00,USD\n").entries, NAME)
    assert twice[0] != twice[1]
    assert once[0] == twice[0]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    text = "\ufeff" + HEADER + "\r\n2012-09-04,BUY,AAPL,1,1,0,USD\r\n\r\n"
    assert told(read(text)) == ["2 BUY 2012-09-04 AAPL 1 at 1 USD"]
    assert found(read(text)) == []
