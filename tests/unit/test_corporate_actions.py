from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from closingbell.domain.corporate_actions import ActionKind, CorporateAction, declared_amount, splits_of
from closingbell.domain.positions import shares_held


@pytest.mark.parametrize(
    ("printed", "factor", "declared"),
    [
        ("2.65", "1", "2.65"),
        ("0.094643", "28", "2.65"),  # AAPL 2012 as printed after 7:1 and 4:1
        ("0.1175", "28", "3.29"),
        ("0.205", "4", "0.82"),
        ("0.392749", "1324/1000", "0.52"),  # AT&T and its spin-off's pseudo-split
        ("1.5", "1/20", "0.075"),
    ],
)
def test_the_declared_amount_is_recovered_from_the_printed_one(printed: str, factor: str, declared: str) -> None:
    assert declared_amount(Decimal(printed), Fraction(factor)) == Decimal(declared)


def test_an_amount_that_fits_no_short_decimal_keeps_ten() -> None:
    assert declared_amount(Decimal("0.123457"), Fraction(1, 3), printed_decimals=12) == Decimal("0.0411523333")


def test_two_splits_on_one_day_multiply() -> None:
    day = date(2020, 8, 31)
    actions = [
        CorporateAction(ActionKind.SPLIT, day, None, "", 4, 1, "4:1"),
        CorporateAction(ActionKind.SPLIT, day, None, "", 3, 2, "3:2"),
    ]
    assert splits_of(actions) == {day: Fraction(6)}


def test_shares_bought_before_a_split_are_sold_after_it() -> None:
    splits = {date(2005, 2, 28): Fraction(2)}
    assert shares_held([(date(2005, 2, 25), 10), (date(2005, 2, 28), -20)], splits) == 0
    assert shares_held([(date(2005, 2, 28), 10)], splits) == 10
