from __future__ import annotations

from datetime import date
from decimal import Decimal

from closingbell.queries.income import IncomeLine, IncomeOfMonths, YearOfIncome, by_month, by_year


def line(month: str | None, currency: str, gross: str, tax: str = "0", kind: str = "DIVIDEND") -> IncomeLine:
    net = Decimal(gross) - Decimal(tax)
    return IncomeLine(month, None, None, kind, currency, Decimal(gross), Decimal(tax), net)


LINES = [
    line("2011-11", "USD", "5.00"),
    line("2011-12", "USD", "10.00", "1.50"),
    line("2011-12", "USD", "0.25", kind="INTEREST"),
    line("2012-02", "EUR", "3.00"),
]


def test_every_month_between_the_first_and_the_last_income_is_there() -> None:
    found = by_month(LINES, since=date(2011, 12, 15))

    assert found.months == ("2011-12", "2012-01", "2012-02")
    assert found.currencies == {
        "EUR": IncomeOfMonths((Decimal(0), Decimal(0), Decimal(3)), (Decimal(0), Decimal(0), Decimal(3))),
        "USD": IncomeOfMonths((Decimal("10.25"), Decimal(0), Decimal(0)), (Decimal("8.75"), Decimal(0), Decimal(0))),
    }


def test_no_income_since_a_day_is_no_month() -> None:
    assert by_month(LINES, since=date(2012, 3, 1)).months == ()
    assert by_month([line(None, "USD", "5.00")], since=date(2000, 1, 1)).currencies == {}


def test_income_of_years_is_told_apart_by_kind_and_currency() -> None:
    assert by_year(LINES) == [
        YearOfIncome("2012", "DIVIDEND", "EUR", Decimal(3), Decimal(0), Decimal(3)),
        YearOfIncome("2011", "INTEREST", "USD", Decimal("0.25"), Decimal(0), Decimal("0.25")),
        YearOfIncome("2011", "DIVIDEND", "USD", Decimal(15), Decimal("1.50"), Decimal("13.50")),
    ]
