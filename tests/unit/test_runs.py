from __future__ import annotations

import pytest

from closingbell.domain.runs import ItemOutcome, Outcome, RunStatus, in_words, status_from_coverage


def item(outcome: Outcome, expected: int, covered: int, kind: str | None = None) -> ItemOutcome:
    return ItemOutcome("AAPL", 1, outcome, expected, covered, error_kind=kind)


@pytest.mark.parametrize(
    ("items", "status"),
    [
        ([], RunStatus.SUCCESS),
        ([item(Outcome.STORED, 2, 2), item(Outcome.UNCHANGED, 1, 1)], RunStatus.SUCCESS),
        ([item(Outcome.STORED, 2, 2), item(Outcome.FAILED, 1, 0)], RunStatus.PARTIAL),
        ([item(Outcome.FAILED, 1, 0)], RunStatus.FAILED),
        ([item(Outcome.MISSING, 3, 2)], RunStatus.PARTIAL),
        # Everything expected is stored, yet a newer doubtful answer waits for a person: not all is well.
        ([item(Outcome.QUARANTINED, 1, 1)], RunStatus.PARTIAL),
        ([item(Outcome.SKIPPED, 0, 0)], RunStatus.SUCCESS),
    ],
)
def test_the_status_comes_from_coverage(items: list[ItemOutcome], status: RunStatus) -> None:
    assert status_from_coverage(items) is status


def test_a_run_is_told_in_one_sentence() -> None:
    items = [item(Outcome.STORED, 4, 4), item(Outcome.FAILED, 1, 0, "rate_limited")]
    assert in_words("daily", items, "2012-11-30") == ("4 of 5 expected closes up to 2012-11-30 stored, 1 rate_limited")
    assert in_words("daily", [], "2012-11-30") == "daily: nothing is due"
