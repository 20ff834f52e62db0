from __future__ import annotations

from datetime import date

import pytest

from closingbell.domain.bars import Bar
from closingbell.domain.second_opinion import bears_out, difference_in_words

DAY = date(2000, 9, 29)


def bar(close: int, *, high: int = 29_000_000) -> Bar:
    return Bar(DAY, 28_190_000, high, 25_380_000, close, 132_529_300)


@pytest.mark.parametrize(
    ("close", "other", "agrees"),
    [
        (25_750_000, 25_750_000, True),
        (100_500_000, 100_000_000, True),
        (99_500_000, 100_000_000, True),
        (100_500_001, 100_000_000, False),
        (99_499_999, 100_000_000, False),
        (58_528_000_000, 585_280_000, False),
        (0, 0, False),
    ],
)
def test_half_a_percent_is_agreement(close: int, other: int, agrees: bool) -> None:
    assert bears_out(bar(close), bar(other), rule="jump") is agrees


def test_bar_that_contradicts_itself_must_agree_as_a_whole() -> None:
    wrong, right = bar(25_750_000, high=20_000_000), bar(25_750_000)

    assert bears_out(wrong, right, rule="jump")
    assert not bears_out(wrong, right, rule="outside_range")
    assert bears_out(right, right, rule="outside_range")


def test_difference_is_told_in_plain_numbers() -> None:
    assert difference_in_words(bar(2_575_000_000), bar(25_750_000)) == "its close is 25.75, not 2575.00"
    assert difference_in_words(bar(25_750_000, high=20_000_000), bar(25_750_000)) == (
        "its open, high, low and close are 28.19, 29.00, 25.38, 25.75"
    )
