from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

from closingbell.domain.adjusting import Factors, adjust, factors_of
from closingbell.domain.bars import Bar


def day(number: int) -> date:
    return date(2012, 11, number)


def bar(number: int, close: int, volume: int = 1000) -> Bar:
    return Bar(day(number), close, close, close, close, volume)


def closes(*bars: Bar) -> list[tuple[date, int]]:
    return [(one.date, one.close) for one in bars]


def test_split_divides_the_prices_before_it_and_multiplies_their_volume() -> None:
    bars = [bar(5, 90_000_000), bar(6, 45_000_000, volume=2000)]
    factors = factors_of(closes(*bars), {day(6): Fraction(2)}, {})
    assert adjust(bars, factors) == [bar(5, 45_000_000, volume=2000), bar(6, 45_000_000, volume=2000)]


def test_dividend_takes_its_share_of_the_close_before_from_all_earlier_prices() -> None:
    bars = [bar(5, 80_000_000), bar(6, 100_000_000), bar(7, 98_000_000)]
    factors = factors_of(closes(*bars), {}, {day(7): Decimal("2.00")})
    assert [one.close for one in adjust(bars, factors)] == [78_400_000, 98_000_000, 98_000_000]
    assert [one.volume for one in adjust(bars, factors)] == [1000, 1000, 1000]


def test_split_and_dividend_of_one_day_both_count() -> None:
    # The amount is in the units of the close before: 1.00 of 100.00.
    bars = [bar(5, 100_000_000), bar(6, 49_500_000)]
    factors = factors_of(closes(*bars), {day(6): Fraction(2)}, {day(6): Decimal(1)})
    assert factors == [Factors(day(6), Decimal("0.495"), Fraction(2))]
    assert adjust(bars, factors)[0] == bar(5, 49_500_000, volume=2000)


def test_later_actions_count_for_a_part_of_the_series_too() -> None:
    bars = [bar(5, 100_000_000), bar(6, 100_000_000), bar(7, 50_000_000), bar(8, 49_000_000)]
    factors = factors_of(closes(*bars), {day(7): Fraction(2)}, {day(8): Decimal(1)})
    assert adjust(bars[:1], factors) == [bar(5, 49_000_000, volume=2000)]


def test_dividend_without_a_close_before_it_or_as_large_changes_nothing() -> None:
    bars = [bar(6, 10_000_000), bar(7, 10_000_000)]
    factors = factors_of(closes(*bars), {}, {day(6): Decimal(1), day(7): Decimal(10)})
    assert adjust(bars, factors) == bars


def test_reverse_split_multiplies_prices() -> None:
    bars = [bar(5, 1_000_001, volume=30), bar(6, 10_000_000)]
    assert adjust(bars, factors_of(closes(*bars), {day(6): Fraction(1, 10)}, {}))[0] == bar(5, 10_000_010, volume=3)
