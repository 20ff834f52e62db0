from __future__ import annotations

from datetime import date

import pytest

from closingbell.domain.corporate_actions import ActionKind, CorporateAction
from closingbell.domain.split_guard import is_split_like, tells_split


@pytest.mark.parametrize(
    ("before", "after", "is_like"),
    [
        (88_990_000, 44_860_000, True),  # Apple, 2:1 on 2005-02-28
        (499_230_000, 129_040_000, True),  # Apple, 4:1 on 2020-08-31
        (14_000_000, 102_000_000, True),  # General Electric, 1:8 on 2021-08-02, and the price moved
        (90_000_000, 60_000_000, True),  # 3:2
        (53_500_000, 25_750_000, True),  # Apple's fall of 2000-09-29: nobody can tell it from 2:1 by the price
        (100_000_000, 78_000_000, False),  # within 15 % of 2/3 is less than this
        (100_000_000, 76_000_000, True),
        (100_000_000, 4_200_000, False),  # less than 1/20 by more than 15 %
        (585_280_000, 5_852_800, False),  # pence for pounds
        (585_280_000, 58_528_000_000, False),
        (0, 5_000_000, False),
    ],
)
def test_price_that_looks_like_a_split(before: int, after: int, is_like: bool) -> None:
    assert is_split_like(before, after) is is_like


@pytest.mark.parametrize(
    ("kind", "ex_date", "tells"),
    [
        (ActionKind.SPLIT, date(2005, 2, 28), True),
        (ActionKind.SPLIT, date(2005, 2, 25), False),
        (ActionKind.SPLIT, date(2005, 3, 1), False),
        (ActionKind.DIVIDEND, date(2005, 2, 28), False),
    ],
)
def test_split_between_a_close_and_the_price_after_it(kind: ActionKind, ex_date: date, tells: bool) -> None:
    row = CorporateAction(kind, ex_date, None, "USD", 2, 1, "2:1")
    assert tells_split([row], after=date(2005, 2, 25), until=date(2005, 2, 28)) is tells
