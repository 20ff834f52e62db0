from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from closingbell.usecases.imports.orders_csv import read_orders

HEADER = "date,type,symbol,quantity,price,fee,currency"
TODAY = date(2012, 11, 30)


def read(*lines: str, header: str = HEADER) -> list[str]:
    return read_orders("\n".join([header, *lines]), today=TODAY).reasons


def test_a_trade_and_a_deposit_are_read() -> None:
    file = read_orders(
        f"{HEADER},executed_at\n"
        "2012-09-04,BUY,aapl,20,675.00,4.95,usd,2012-09-04T10:05:00-04:00\n"
        "2012-09-04,DEPOSIT,,,100000,0,USD,\n",
        today=TODAY,
    )
    assert file.reasons == []
    buy, deposit = file.orders
    assert (buy.symbol, buy.quantity, buy.price, buy.fee, buy.currency) == (
        "AAPL", Decimal(20), Decimal("675.00"), Decimal("4.95"), "USD",
    )  # fmt: skip
    assert buy.executed_at == datetime(2012, 9, 4, 14, 5, tzinfo=UTC)
    assert (deposit.symbol, deposit.amount, deposit.executed_at) == (None, Decimal(100000), None)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2012-09-04,BUY,AAPL,20,675", "line 2: 5 fields where the header has 7"),
        ("04/09/2012,BUY,AAPL,20,675,0,USD", "line 2: date '04/09/2012' is not a date; write YYYY-MM-DD"),
        ("2012-12-01,BUY,AAPL,20,675,0,USD", "line 2: date 2012-12-01 lies in the future"),
        ("2012-09-04,HOLD,AAPL,20,675,0,USD", "line 2: type 'HOLD' is not one of BUY, SELL, DEPOSIT, WITHDRAWAL"),
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
    ],
)
def test_a_bad_line_is_named_with_its_number_and_reason(line: str, reason: str) -> None:
    (told,) = read(line)
    assert told.lower().startswith(reason.lower())


def test_every_bad_line_is_named() -> None:
    assert len(read("x,BUY,AAPL,1,1,0,USD", "2012-09-04,BUY,AAPL,1,1,0,USD", "2012-09-04,NO,AAPL,1,1,0,USD")) == 2


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
    assert read_orders(text, today=TODAY).reasons[0].startswith(reason)


def test_identical_lines_are_two_orders_and_the_same_line_elsewhere_is_the_same_order() -> None:
    line = "2012-09-04,BUY,AAPL,20,675.00,0,USD"
    twice = read_orders(f"{HEADER}\n{line}\n{line}\n", today=TODAY).orders
    once = read_orders(f"{HEADER}\n2012-09-04,buy,AAPL,20.0,675,0.00,USD\n", today=TODAY).orders
    assert twice[0].source_key != twice[1].source_key
    assert once[0].source_key == twice[0].source_key


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    text = "\ufeff" + HEADER + "\r\n2012-09-04,BUY,AAPL,1,1,0,USD\r\n\r\n"
    file = read_orders(text, today=TODAY)
    assert (len(file.orders), file.reasons) == (1, [])
