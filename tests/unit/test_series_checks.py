from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closingbell.domain.bars import Bar
from closingbell.domain.corporate_actions import ActionKind, CorporateAction
from closingbell.domain.series_checks import SERIES_RULES, SeriesAround, SeriesFinding, check_series

MONDAY = date(2023, 5, 1)
# Closes of a quiet month; a cent more or less than the day before.
QUIET = [1000, 1003, 1001, 1004, 1006, 1005, 1007, 1004, 1002, 1003, 1001, 999, 1001, 1000, 1002]


def day(number: int) -> date:
    return MONDAY + timedelta(days=number)


def bar(number: int, cents: float, volume: int | None = None, **prices: float) -> Bar:
    """A bar with its high and low a cent away from the close, unless told otherwise."""
    told = {"open": cents, "high": cents + 1, "low": cents - 1, "close": cents} | prices
    micros = {name: round(value * 10_000) for name, value in told.items()}
    return Bar(day(number), **micros, volume=5000 + number if volume is None else volume)


def bars(closes: Sequence[float]) -> list[Bar]:
    return [bar(number, cents) for number, cents in enumerate(closes)]


def dividend(number: int, amount: str, kind: ActionKind = ActionKind.DIVIDEND) -> CorporateAction:
    return CorporateAction(kind, day(number), Decimal(amount), "GBP", None, None, amount)


def split(number: int, numerator: int, denominator: int = 1) -> CorporateAction:
    return CorporateAction(
        ActionKind.SPLIT, day(number), None, "", numerator, denominator, f"{numerator}:{denominator}"
    )


def told(findings: Sequence[SeriesFinding]) -> list[tuple[str, int]]:
    return [(found.rule, (found.date - MONDAY).days) for found in findings]


def walk(seed: int, count: int) -> list[Bar]:
    """A random walk in cents, at most 4 % a day."""
    dice, cents, walked = random.Random(seed), 5000.0, []
    for number in range(count):
        cents = round(cents * (1 + dice.uniform(-0.04, 0.04)))
        walked.append(bar(number, cents, volume=dice.randint(1000, 9000), high=cents * 1.01, low=cents * 0.99))
    return walked


def test_a_quiet_month_has_no_finding() -> None:
    assert check_series(bars(QUIET), []) == []


def test_an_answer_without_bars_has_no_finding() -> None:
    assert check_series([], []) == []


@pytest.mark.parametrize("times", [100, 0.01])
def test_a_bar_in_another_unit_is_found(times: float) -> None:
    answer = bars(QUIET)
    answer[6] = bar(6, 1007 * times, high=1008 * times, low=1006 * times)
    assert told(check_series(answer, [])) == [("times_100", 6)]


def test_a_stretch_in_another_unit_is_found_bar_by_bar() -> None:
    answer = bars([*QUIET[:11], *(cents * 100 for cents in QUIET[11:13]), *QUIET[13:]])
    assert told(check_series(answer, [])) == [("times_100", 11), ("times_100", 12)]


def test_where_two_units_balance_each_other_every_bar_is_in_doubt() -> None:
    answer = bars([1000, 1001, 100_100, 100_200])
    assert told(check_series(answer, [])) == [("times_100", number) for number in range(4)]


def test_stored_bars_say_which_of_two_units_is_right() -> None:
    answer = bars([1000, 1001, 100_100, 100_200, 100_100])
    around = SeriesAround(stored=[bar(-2, 1001), bar(-1, 1000), bar(0, 1000)])
    assert told(check_series(answer, [], around)) == [("times_100", number) for number in (2, 3, 4)]


def test_an_answer_wholly_in_another_unit_is_found_beside_the_stored_bars() -> None:
    answer = [bar(5, 100_000, high=100_100, low=99_900), bar(6, 100_100)]
    around = SeriesAround(stored=[bar(4, 1000), bar(5, 1000)])
    assert told(check_series(answer, [], around)) == [("times_100", 5), ("times_100", 6)]


@pytest.mark.parametrize("field", ["open", "high", "low", "close"])
@pytest.mark.parametrize("times", [100, 0.01])
def test_a_single_price_in_another_unit_is_named(field: str, times: float) -> None:
    answer = bars(QUIET)
    answer[6] = bar(6, 1007, **{field: 1007 * times})
    (found,) = check_series(answer, [])
    assert (found.rule, found.date, found.fields) == ("times_100", day(6), (field,))


def test_a_close_that_stands_still_while_shares_change_hands_is_frozen() -> None:
    answer = bars([1000, 1003, 1001, 1004, 1006, 1005, 1005, 1005, 1005, 1005])
    assert told(check_series(answer, [])) == [("frozen", number) for number in (6, 7, 8, 9)]


def test_four_equal_closes_are_not_frozen() -> None:
    assert check_series(bars([1000, 1003, 1001, 1004, 1006, 1005, 1005, 1005, 1005, 1004]), []) == []


def test_an_answer_of_five_sessions_is_frozen_together_with_what_is_stored_before_it() -> None:
    stored = [
        bar(number, cents) for number, cents in zip(range(-6, 0), [1000, 1003, 1001, 1004, 1006, 1005], strict=True)
    ]
    findings = check_series(bars([1005, 1005, 1005, 1005]), [], SeriesAround(stored=stored))
    assert told(findings) == [("frozen", number) for number in (0, 1, 2, 3)]


def test_a_close_without_trade_is_not_frozen() -> None:
    answer = [bar(number, 1000, volume=0, high=1000, low=1000) for number in range(8)]
    assert check_series(answer, []) == []


def test_in_a_thinly_traded_company_a_close_may_stand_still() -> None:
    still = [1000, 1000, 1002, 1002, 1002, 1000, 1000, 1003, 1003, 1003, 1003, 1003, 1001, 1001, 1001]
    assert check_series(bars(still), []) == []


def test_in_coarse_steps_a_close_may_repeat() -> None:
    answer = [
        bar(number, cents, high=cents, low=cents)
        for number, cents in enumerate([20, 19, 20, 21, 22, 22, 22, 22, 22, 21])
    ]
    assert check_series(answer, []) == []


def test_a_missing_volume_is_found_where_the_price_moved() -> None:
    answer = bars(QUIET)
    answer[8] = bar(8, 1002, volume=0)
    (found,) = check_series(answer, [])
    assert (found.rule, found.date, found.fields) == ("no_volume", day(8), ("volume",))


def test_an_index_never_has_a_volume() -> None:
    assert check_series([bar(number, cents, volume=0) for number, cents in enumerate(QUIET)], []) == []


# 5 new for 1 old on day 10, as traded before it: 20,650, 20,885 … and 4,161 after.
JAPANESE = [20650, 20885, 20960, 20710, 20615, 20800, 20900, 20700, 20800, 21030, 4161, 4275, 4182, 4155, 4088]


def test_a_split_that_the_history_follows_is_no_finding() -> None:
    assert check_series(bars(JAPANESE), [split(10, 5)]) == []


def test_history_that_was_not_restated_up_to_the_last_day_is_found() -> None:
    # Recovered as traded, what Yahoo forgot to divide by five is five times too much.
    answer = bars([cents * 5 for cents in JAPANESE[:9]] + JAPANESE[9:])
    assert told(check_series(answer, [split(10, 5)])) == [("unsplit", number) for number in range(9)]


def test_history_that_was_not_restated_at_all_is_found() -> None:
    answer = bars([cents * 5 for cents in JAPANESE[:10]] + JAPANESE[10:])
    assert told(check_series(answer, [split(10, 5)])) == [("unsplit", number) for number in range(10)]


def test_one_session_that_was_restated_twice_is_found() -> None:
    answer = bars([*JAPANESE[:8], JAPANESE[8] / 5, *JAPANESE[9:]])
    assert told(check_series(answer, [split(10, 5)])) == [("unsplit", 8)]


def test_a_special_dividend_explains_a_fall_on_the_day_of_the_split() -> None:
    # 33 new for 70 old and 243.94 a new share: 461 in new shares becomes 205.
    answer = bars([21500, 21600, 21500, 21740, 20510, 19786])
    assert check_series(answer, [split(4, 33, 70), dividend(4, "243.94")]) == []


def test_a_crash_long_before_a_split_is_not_unsplit() -> None:
    closes = [5000 + (number % 7) for number in range(20)] + [2500 + (number % 7) for number in range(30)]
    answer = bars([*closes, *(1250 + (number % 7) for number in range(5))])
    assert check_series(answer, [split(50, 2)]) == []


def test_an_answer_a_splits_ratio_away_from_the_stored_bar_is_found() -> None:
    around = SeriesAround(stored=[bar(0, 1000), bar(1, 1003)], actions=[split(20, 7)])
    answer = [bar(0, 7000), bar(1, 7021)]
    assert told(check_series(answer, [], around)) == [("unsplit", 0), ("unsplit", 1)]


# Twice a year, two pence on sixty.
def paid(amounts: Sequence[str]) -> list[CorporateAction]:
    return [dividend(180 * number, amount) for number, amount in enumerate(amounts)]


def year_of(closes: dict[int, float], count: int = 720, usual: float = 60.0) -> list[Bar]:
    """Bars of ``count`` days near ``usual``, with the closes of some days told."""
    return [bar(n, closes.get(n, usual + 0.1 * (n % 3)), low=closes.get(n, usual) - 0.1) for n in range(-1, count)]


def test_regular_dividends_are_no_finding() -> None:
    assert check_series(year_of({}), paid(["0.02", "0.02", "0.016", "0.016"])) == []


def test_a_dividend_a_hundred_times_too_small_is_found_by_the_fall() -> None:
    falling = year_of({number: 58 + 0.1 * (number % 3) for number in range(360, 720)})
    assert told(check_series(falling, paid(["0.02", "0.02", "0.0002", "0.016"]))) == [("dividend_times_100", 360)]


def test_a_tiny_dividend_without_a_fall_is_what_the_fund_paid() -> None:
    assert check_series(year_of({}), paid(["0.02", "0.02", "0.0002", "0.016"])) == []


def test_a_dividend_a_hundred_times_too_large_is_found() -> None:
    findings = check_series(year_of({}), paid(["0.02", "0.02", "2.00", "0.016"]))
    assert told(findings) == [("dividend_times_100", 360)]


def test_a_dividend_after_years_without_one_is_not_measured_by_the_old_ones() -> None:
    known = SeriesAround(actions=[dividend(-6000 + 90 * number, "0.03") for number in range(4)])
    assert check_series(bars([62000, 62010, 61990]), [dividend(1, "2.65")], known) == []


@pytest.mark.parametrize(("amount", "close"), [("0.10", 60.5), ("0.12", 59.0), ("0.42", 60.0), ("0.20", 55.0)])
def test_a_dividend_that_the_price_did_not_follow_is_too_large(amount: str, close: float) -> None:
    answer = [bar(0, 60.0), bar(1, close, high=max(close, 60.0), low=close), bar(2, close)]
    assert told(check_series(answer, [dividend(1, amount)])) == [("dividend_too_large", 1)]


@pytest.mark.parametrize(("amount", "close"), [("0.04", 60.0), ("0.06", 57.0), ("0.28", 33.0)])
def test_a_dividend_that_the_price_followed_is_no_finding(amount: str, close: float) -> None:
    answer = [bar(0, 60.0), bar(1, close, high=60.0, low=close), bar(2, close)]
    assert check_series(answer, [dividend(1, amount)]) == []


def test_of_a_repeated_dividend_the_one_without_a_fall_is_in_doubt() -> None:
    answer = bars([21050, 20890, 20530, 20600, 20550])
    assert told(check_series(answer, [dividend(1, "3.85"), dividend(2, "3.85")])) == [("dividend_repeated", 1)]


def test_both_of_a_pair_are_in_doubt_where_the_prices_do_not_say_which() -> None:
    answer = bars([479, 496, 496, 496.5, 478])
    findings = check_series(answer, [dividend(1, "0.015"), dividend(4, "0.015")])
    assert told(findings) == [("dividend_repeated", 1), ("dividend_repeated", 4)]


def test_a_dividend_that_repeats_a_known_one_is_in_doubt() -> None:
    known = SeriesAround(actions=[dividend(1, "3.85")])
    assert told(check_series(bars([21050, 20890, 20530]), [dividend(2, "3.85")], known)) == [("dividend_repeated", 2)]


def test_a_weekly_payer_repeats_nothing() -> None:
    answer = bars([10000 + (number % 7) for number in range(60)])
    assert check_series(answer, [dividend(7 * week, "0.10") for week in range(1, 8)]) == []


def test_a_regular_and_a_special_dividend_on_one_day_are_two() -> None:
    assert check_series(bars([1200, 1190, 1160, 1161]), [dividend(2, "0.15"), dividend(2, "0.25")]) == []


@pytest.mark.parametrize("amount", ["0", "-0.10"])
def test_a_dividend_of_nothing_is_found(amount: str) -> None:
    assert told(check_series(bars(QUIET), [dividend(5, amount)])) == [("dividend_not_positive", 5)]


def test_a_dividend_per_old_share_on_the_day_of_the_split_is_found() -> None:
    # The price fell by 45 in new shares, and 275 per old share are 55 per new one.
    answer = bars([2085000, 2096000, 2103000, 416100, 427500])
    assert told(check_series(answer, [split(3, 5), dividend(3, "275")])) == [("dividend_unsplit", 3)]
    assert check_series(answer, [split(3, 5), dividend(3, "55")]) == []


def test_a_dividend_that_was_not_restated_for_a_later_split_is_found() -> None:
    actions = [
        dividend(100, "0.80"),
        dividend(190, "3.28"),
        split(250, 4),
        dividend(280, "0.205"),
        dividend(370, "0.205"),
    ]
    assert told(check_series([], actions)) == [("dividend_unsplit", 190)]


def test_a_dividend_that_holds_the_capital_gain_is_found() -> None:
    answer = bars([1700, 1692, 1622, 1625])
    gain = dividend(2, "0.417", ActionKind.CAPITAL_GAIN)
    assert told(check_series(answer, [gain, dividend(2, "0.837")])) == [("gain_in_dividend", 2)]
    assert check_series(answer, [gain, dividend(2, "0.42")]) == []


def test_a_finding_says_what_its_rule_says() -> None:
    answer = bars(QUIET)
    answer[6] = bar(6, 100_700)
    (found,) = check_series(answer, [])
    assert found.bar == answer[6]
    assert found.sentence == "2023-05-07: the price is 100 times, or a hundredth of, what the sessions around it say"


def test_every_rule_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "prices.md").read_text(encoding="utf-8")
    assert [rule for rule in SERIES_RULES if f"`{rule}`" not in page] == []


@given(st.integers(0, 2**32), st.integers(1, 80))
def test_a_random_walk_has_no_finding(seed: int, count: int) -> None:
    assert check_series(walk(seed, count), []) == []


@given(st.integers(0, 2**32), st.integers(4, 80), st.data(), st.sampled_from([100, 0.01]))
def test_a_bar_of_a_random_walk_in_another_unit_is_found(
    seed: int, count: int, data: st.DataObject, times: float
) -> None:
    answer = walk(seed, count)
    number = data.draw(st.integers(0, count - 1))
    good = answer[number]
    answer[number] = Bar(good.date, *(round(price * times) for price in good[1:5]), volume=good.volume)  # type: ignore[operator]
    assert told(check_series(answer, [])) == [("times_100", number)]


@given(st.integers(0, 2**32), st.integers(12, 80), st.data(), st.sampled_from([2, 3, 5, 7, 10]))
def test_a_session_of_a_random_walk_that_was_restated_twice_is_found(
    seed: int, count: int, data: st.DataObject, ratio: int
) -> None:
    at = data.draw(st.integers(2, count - 1))
    number = data.draw(st.integers(max(1, at - 10), at - 1))
    answer = [
        Bar(
            b.date,
            *(round(price * (ratio if k < at else 1) / (ratio if k == number else 1)) for price in b[1:5]),
            b.volume,
        )  # type: ignore[operator, arg-type]
        for k, b in enumerate(walk(seed, count))
    ]
    assert told(check_series(answer, [split(at, ratio)])) == [("unsplit", number)]
