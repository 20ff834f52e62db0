from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from closingbell.usecases.imports.entries import RowError
from closingbell.usecases.imports.values import (
    Numbers,
    read_currency,
    read_day_first,
    read_isin,
    read_iso,
    read_month_first,
)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1234.56", "1234.56"),
        ("1,234.56", "1234.56"),
        ("1.234,56", "1234.56"),
        ("1'234.56", "1234.56"),
        ("1 234,56", "1234.56"),
        ("1\u202f234,56", "1234.56"),
        ("-79,35", "-79.35"),
        ("0,039", "0.039"),
        ("1,234,567", "1234567"),
        ("-$40503.61", "-40503.61"),
        ("€20", "20"),
        ("(0.10)", "-0.10"),
        ("12.50-", "-12.50"),
        ("−5", "-5"),
        ("+5", "5"),
        (".5", "0.5"),
        ("7", "7"),
        ("'-3.5", "-3.5"),
    ],
)
def test_a_number_that_can_be_read_in_one_way(cell: str, number: str) -> None:
    assert Numbers().read(cell, what="amount") == Decimal(number)


def test_a_group_of_three_digits_is_read_as_the_rest_of_the_file() -> None:
    assert Numbers(["1,50", "2"]).read("1.234", what="amount") == Decimal(1234)
    assert Numbers(["1.50", "2"]).read("1.234", what="amount") == Decimal("1.234")


@pytest.mark.parametrize("cells", [[], ["12", "7"], ["1,50", "2.50"]])
def test_a_number_with_two_meanings_is_refused_where_nothing_tells(cells: list[str]) -> None:
    with pytest.raises(RowError, match=r"amount '1\.234' can be read in two ways"):
        Numbers(cells).read("1.234", what="amount")


@pytest.mark.parametrize("cell", ["", "ten", "1.2.3,4", "1,23,456.7", "--5", "NaN", "1e5", "∞", "1 USD", "=1+1"])
def test_what_is_no_number_is_refused(cell: str) -> None:
    with pytest.raises(RowError, match="is not a number"):
        Numbers(decimal_mark=".").read(cell, what="amount")


@pytest.mark.parametrize(
    ("read", "cell", "day"),
    [
        (read_iso, "2024-05-31", date(2024, 5, 31)),
        (read_iso, "20240531", date(2024, 5, 31)),
        (read_iso, "20240531;143005", date(2024, 5, 31)),
        (read_iso, "2024-05-31 14:30:05.173", date(2024, 5, 31)),
        (read_iso, "2021-04-07T14:11:000.000Z", date(2021, 4, 7)),
        (read_day_first, "31-05-2024", date(2024, 5, 31)),
        (read_day_first, "31.05.2024", date(2024, 5, 31)),
        (read_day_first, "04/05/2024", date(2024, 5, 4)),
        (read_month_first, "04/05/2024", date(2024, 4, 5)),
    ],
)
def test_a_date_in_its_own_form(read: object, cell: str, day: date) -> None:
    assert read(cell)[0] == day  # type: ignore[operator]


def test_an_instant_is_kept_only_where_the_zone_is_told_and_it_is_no_mere_date() -> None:
    assert read_iso("2024-05-31T14:30:00+02:00")[1] == datetime(2024, 5, 31, 12, 30, tzinfo=UTC)
    assert read_iso("2024-05-31T14:30:00")[1] is None
    assert read_iso("2024-05-31T00:00:00.000Z")[1] is None


@pytest.mark.parametrize("cell", ["", "31/02/2024", "2024-13-01", "yesterday", "31-05-24", "2024-05-31-01"])
def test_what_is_no_date_is_refused(cell: str) -> None:
    with pytest.raises(RowError, match="is not a date"):
        read_day_first(cell)


def test_isin_by_its_check_digit() -> None:
    assert read_isin(" us0378331005 ") == "US0378331005"
    assert read_isin("GB00BH4HKS39") == "GB00BH4HKS39"
    assert read_isin("US0378331006") is None
    assert read_isin("AAPL") is None


def test_currency_is_three_letters_of_a_whole_unit() -> None:
    assert read_currency("EUR") == "EUR"
    with pytest.raises(RowError, match="is not three letters"):
        read_currency("Euro")
    with pytest.raises(RowError, match="GBX is a part of GBP"):
        read_currency("GBX")
