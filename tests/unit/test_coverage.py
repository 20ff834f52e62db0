from __future__ import annotations

from datetime import UTC, date, datetime

from closingbell.commands.coverage import in_words
from closingbell.domain.days import StoredDays
from closingbell.domain.planning import SessionList, SessionTimes
from closingbell.queries.coverage import (
    CompanyCoverage,
    CoverageTotal,
    KnownGap,
    cover,
    total_of,
)
from closingbell.stores.companies import CompanyFacts

COMPANY = CompanyFacts(1, "AAPL", "XNYS", "USD")


def day(number: int) -> date:
    return date(2012, 11, number)


def week(*numbers: int) -> SessionList:
    """Sessions of November 2012; the clock stands at the evening of the 9th."""
    times = [
        SessionTimes(
            day(number),
            datetime(2012, 11, number, 14, 30, tzinfo=UTC),
            datetime(2012, 11, number, 21, 0, tzinfo=UTC),
        )
        for number in numbers
    ]
    return SessionList("XNYS", times, now=datetime(2012, 11, 9, 21, 31, tzinfo=UTC))


def covered(
    *bars: tuple[int, bool],
    sessions: SessionList | None = None,
    since: int = 5,
    gaps: dict[date, str] | None = None,
) -> CompanyCoverage:
    return cover(
        COMPANY,
        day(since),
        sessions or week(5, 6, 7, 8, 9, 12),
        bars=StoredDays.of((day(number), is_settled) for number, is_settled in bars),
        gaps=gaps or {},
        quarantined_count=0,
    )


def numbers(one: CompanyCoverage) -> tuple[int, int, int, int, int, int]:
    return (
        one.expected_count,
        one.stored_count,
        one.provisional_count,
        one.missing_count,
        one.gap_count,
        one.unexpected_count,
    )


def test_every_closed_session_is_expected() -> None:
    one = covered((5, True), (6, True), (9, False))
    assert numbers(one) == (5, 3, 1, 2, 0, 0)
    assert one.missing_dates == (day(7), day(8))


def test_known_gap_is_not_missing() -> None:
    gaps = {day(6): "halted", day(8): "halted"}
    one = covered((5, True), (7, True), (9, True), gaps=gaps)
    assert numbers(one) == (5, 3, 0, 0, 2, 0)
    assert one.gaps == (KnownGap("halted", 2, day(6), day(8)),)


def test_gap_that_is_stored_after_all_is_none() -> None:
    one = covered(*((number, True) for number in (5, 6, 7, 8, 9)), gaps={day(6): "halted"})
    assert numbers(one) == (5, 5, 0, 0, 0, 0)


def test_gap_before_the_first_order_or_on_a_closed_day_is_none() -> None:
    one = covered((6, True), (9, True), sessions=week(5, 6, 9), since=6, gaps={day(5): "halted", day(7): "halted"})
    assert numbers(one) == (2, 2, 0, 0, 0, 0)


def test_bar_without_a_session_is_unexpected_and_one_from_before_the_first_order_is_not_looked_at() -> None:
    one = covered((5, True), (6, True), (7, True), (9, True), sessions=week(5, 6, 9), since=6)
    assert numbers(one) == (2, 2, 0, 0, 0, 1)
    assert one.unexpected_dates == (day(7),)


def test_nothing_is_expected_before_the_first_session_closed() -> None:
    assert numbers(covered(sessions=week(12), since=12)) == (0, 0, 0, 0, 0, 0)


def test_total_is_the_sum() -> None:
    first, second = covered((5, True), (9, False)), covered((5, True), gaps={day(8): "halted"})
    assert total_of([first, second]) == CoverageTotal(2, 10, 3, 1, 6, 1, 0, 0)
    assert total_of([]) == CoverageTotal(0, 0, 0, 0, 0, 0, 0, 0)


def test_total_in_words() -> None:
    assert in_words(CoverageTotal(1, 10, 7, 1, 2, 1, 2, 0)) == (
        "7 of 10 expected closes of 1 company stored; "
        "2 missing, 1 known gaps, 1 provisional, 2 quarantined, 0 unexpected"
    )
