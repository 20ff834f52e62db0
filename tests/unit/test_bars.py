from __future__ import annotations

import struct
from datetime import UTC, date, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closingbell.domain.bars import (
    Bar,
    MergedBars,
    Neighbourhood,
    StoredBar,
    check_bars,
    is_jump,
    merge_bars,
    same_bar,
    same_price,
    snap_price,
    without_manual,
)

MONDAY, TUESDAY, WEDNESDAY = date(2012, 11, 5), date(2012, 11, 6), date(2012, 11, 7)
SEEN_AT = datetime(2012, 11, 6, 21, 31, tzinfo=UTC)


def bar(day: date, close: str = "100.00", volume: int = 1000, **prices: str) -> Bar:
    def micros(text: str) -> int:
        whole, _, decimals = text.partition(".")
        return int(whole) * 1_000_000 + int((decimals + "000000")[:6]) * (1 if whole[0] != "-" else -1)

    return Bar(
        day,
        micros(prices.get("open", close)),
        micros(prices.get("high", close)),
        micros(prices.get("low", close)),
        micros(close),
        volume,
    )


def around(**changes: object) -> Neighbourhood:
    values: dict[str, object] = {
        "sessions": {MONDAY, TUESDAY, WEDNESDAY},
        "newest": WEDNESDAY,
        "young_from": date(2012, 11, 1),
        "splits": {},
        "suspects": {},
        "previous_close": None,
    }
    return Neighbourhood(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("served", "micros"),
    [
        (585.280029296875, 585_280_000),
        (26.614999771118164, 26_615_000),
        (582.8494873046875, 582_849_500),
        (0.0012340000132098794, 1_234),
        (75.0875015258789, 75_087_500),
        (427_999.9987, 428_000_000_000),
    ],
)
def test_a_float32_price_snaps_to_the_fewest_decimals(served: float, micros: int) -> None:
    assert snap_price(served) == micros


@given(st.integers(min_value=100, max_value=10_000_000), st.sampled_from([1, 2, 3, 4, 7, 28, 0.5, 1.5, 0.1]))
def test_a_price_in_cents_survives_restating_in_float32_and_recovery(cents: int, factor: float) -> None:
    restated = struct.unpack("<f", struct.pack("<f", cents / 100 / factor))[0]
    recovered = snap_price(restated * factor)
    assert same_price(cents * 10_000, recovered)
    # Below 83,000 a cent is wider than float32's noise, so the recovery is exact.
    if cents < 8_300_000:
        assert recovered == cents * 10_000


def test_two_recoveries_of_one_price_count_as_one() -> None:
    assert same_price(585_280_000, 585_280_120)
    assert not same_price(585_280_000, 585_290_000)


def test_a_volume_one_share_off_is_the_same_bar() -> None:
    assert same_bar(bar(MONDAY, volume=1000), bar(MONDAY, volume=1001))
    assert not same_bar(bar(MONDAY, volume=1000), bar(MONDAY, volume=1002))


@pytest.mark.parametrize(
    ("before", "after", "jumps"),
    [
        (100_000_000, 57_000_000, True),  # two for one on a day of plus 14 %
        (100_000_000, 58_000_000, False),
        (100_000_000, 110_000_000, False),
        (100_000_000, 80_000_000, False),
        (100_000_000, 66_700_000, True),  # like 3:2
        (100_000_000, 49_000_000, True),
        (100_000_000, 151_000_000, True),
        (100_000_000, 148_000_000, True),  # like 2:3
        (100_000_000, 72_000_000, False),
        (100_000_000, 1_000_000, True),
    ],
)
def test_closes_that_move_like_a_split_or_by_more_than_half_are_jumps(before: int, after: int, jumps: bool) -> None:
    assert is_jump(before, after) is jumps


def test_a_known_split_explains_its_jump() -> None:
    assert is_jump(89_000_000, 44_860_000)
    assert not is_jump(89_000_000, 44_860_000, Fraction(2))
    assert is_jump(89_000_000, 89_000_000, Fraction(2))


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (bar(MONDAY, "0.00"), "not_positive"),
        (bar(MONDAY, "10.00", high="9.00"), "outside_range"),
        (bar(MONDAY, "10.00", low="10.50", high="11.00"), "outside_range"),
        (bar(MONDAY, volume=-1), "negative_volume"),
        (bar(date(2012, 11, 3)), "not_a_session"),
        (bar(date(2012, 11, 8)), "future"),
        (bar(date(2013, 1, 1)), "future"),
    ],
)
def test_a_bar_that_breaks_a_rule_is_set_aside(broken: Bar, rule: str) -> None:
    checked = check_bars([broken], around())
    assert [finding.rule for finding in checked.findings] == [rule]
    assert checked.good == []


def test_an_auctions_open_a_little_outside_is_stored_with_a_flag() -> None:
    auction = bar(MONDAY, "100.00", open="103.00", high="101.00", low="99.00")
    checked = check_bars([auction], around())
    assert (checked.good, checked.flagged) == ([auction], {MONDAY: "open_outside"})


def test_a_young_jump_is_set_aside_and_does_not_become_the_measure_of_the_next_day() -> None:
    answer = [bar(MONDAY, "100.00"), bar(TUESDAY, "1.00"), bar(WEDNESDAY, "101.00")]
    checked = check_bars(answer, around())
    assert [b.date for b in checked.good] == [MONDAY, WEDNESDAY]
    assert [(f.bar.date, f.rule) for f in checked.findings] == [(TUESDAY, "jump")]


def test_a_young_jump_that_a_later_answer_repeats_is_released_with_a_flag() -> None:
    crash = bar(TUESDAY, "40.00")
    checked = check_bars([bar(MONDAY, "100.00"), crash], around(suspects={TUESDAY: crash}))
    assert checked.findings == []
    assert checked.flagged == {TUESDAY: "jump"}


def test_an_old_jump_is_stored_with_a_flag() -> None:
    checked = check_bars([bar(MONDAY, "53.50"), bar(TUESDAY, "25.75")], around(young_from=WEDNESDAY))
    assert checked.findings == []
    assert checked.flagged == {TUESDAY: "jump"}


def test_the_first_bar_of_an_answer_is_compared_with_the_stored_close_before_it() -> None:
    checked = check_bars([bar(MONDAY, "1.00")], around(previous_close=100_000_000))
    assert [finding.rule for finding in checked.findings] == ["jump"]


def test_merging_tells_new_changed_and_newly_settled_bars_apart() -> None:
    stored = {
        MONDAY: StoredBar(bar(MONDAY, "100.00"), False, "yahoo", SEEN_AT),
        TUESDAY: StoredBar(bar(TUESDAY, "101.00"), False, "yahoo", SEEN_AT),
    }
    answer = [bar(MONDAY, "100.00"), bar(TUESDAY, "101.50"), bar(WEDNESDAY, "102.00")]
    merged = merge_bars(stored, answer, settled_to=MONDAY)
    assert [b.date for b in merged.new] == [WEDNESDAY]
    assert [(old.bar.close, new.close) for old, new in merged.changed] == [(101_000_000, 101_500_000)]
    assert merged.confirmed == [MONDAY]
    assert merged.unchanged_count == 1


def test_bar_that_a_person_set_is_neither_changed_nor_confirmed() -> None:
    stored = {MONDAY: StoredBar(bar(MONDAY), False, "manual", SEEN_AT)}

    merged = merge_bars(stored, [bar(MONDAY, "101.00"), bar(TUESDAY)], settled_to=TUESDAY)

    assert (merged.new, merged.changed, merged.confirmed, merged.unchanged_count) == ([bar(TUESDAY)], [], [], 1)


def test_answer_without_the_days_that_a_person_set() -> None:
    stored = {
        MONDAY: StoredBar(bar(MONDAY), True, "manual", SEEN_AT),
        TUESDAY: StoredBar(bar(TUESDAY), True, "yahoo", SEEN_AT),
    }

    assert without_manual([bar(MONDAY), bar(TUESDAY), bar(WEDNESDAY)], stored) == [bar(TUESDAY), bar(WEDNESDAY)]


# --- Volume.


def held_bar(volume: int, *, is_settled: bool = False) -> StoredBar:
    bar = Bar(date(2012, 11, 30), 1_000_000, 1_200_000, 900_000, 1_100_000, volume)
    return StoredBar(bar, is_settled, "yahoo", datetime(2012, 11, 30, 22, tzinfo=UTC))


def told_again(held: StoredBar, **changes: int) -> MergedBars:
    return merge_bars({held.bar.date: held}, [held.bar._replace(**changes)], settled_to=date(2012, 11, 30))


def test_volume_of_a_bar_that_is_not_settled_only_grows() -> None:
    assert [new.volume for _, new in told_again(held_bar(500), volume=700).changed] == [700]
    smaller = told_again(held_bar(500), volume=300)
    assert (smaller.changed, smaller.confirmed) == ([], [date(2012, 11, 30)])


def test_new_price_with_a_smaller_volume_keeps_the_greater_one() -> None:
    [(_, new)] = told_again(held_bar(500), volume=300, close=1_000_000).changed
    assert (new.close, new.volume) == (1_000_000, 500)


def test_settled_volume_that_is_asked_for_again_may_fall() -> None:
    [(_, new)] = told_again(held_bar(500, is_settled=True), volume=300).changed
    assert new.volume == 300
