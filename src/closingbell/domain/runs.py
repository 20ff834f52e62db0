"""What a run is and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from closingbell.domain.paid import Paid


class RunStatus(StrEnum):
    """The seed's four."""

    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    PARTIAL = "PARTIAL"


class Outcome(StrEnum):
    """How one company ended in a run."""

    STORED = "stored"
    UNCHANGED = "unchanged"
    PROVISIONAL = "provisional"
    QUARANTINED = "quarantined"
    MISSING = "missing"
    FAILED = "failed"
    SKIPPED = "skipped"


GOOD_OUTCOMES = frozenset({Outcome.STORED, Outcome.UNCHANGED, Outcome.PROVISIONAL, Outcome.SKIPPED})


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """One company's end in a run: expected sessions, how many of them are stored, and what went wrong."""

    symbol: str
    company_id: int | None
    outcome: Outcome
    expected_count: int
    covered_count: int
    stored_count: int = 0
    changed_count: int = 0
    quarantined_count: int = 0
    error_kind: str | None = None
    message: str | None = None
    attempt_count: int = 0
    duration_ms: int = 0
    settled_count: int = 0


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A finished run; ``expected_count`` and ``covered_count`` are sessions over all companies.

    ``request_count`` requests were sent for it, repeated ones too: ``requests_by_provider`` of them to each.
    """

    run_id: int
    job_name: str
    status: RunStatus
    message: str
    items: tuple[ItemOutcome, ...]
    expected_count: int
    covered_count: int
    request_count: int
    requests_by_provider: Mapping[str, int]

    @property
    def failed(self) -> list[ItemOutcome]:
        """The companies that did not end well."""
        return [item for item in self.items if item.outcome not in GOOD_OUTCOMES]


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended, for those who must be told; ``kind`` names the kind of failure, None when all is well.

    A run narrowed to chosen companies says nothing of the others. ``paid`` is what a run of dividends paid.
    """

    run_id: int
    job_name: str
    status: RunStatus
    message: str
    kind: str | None
    failed_symbols: tuple[str, ...]
    error_message: str | None
    is_narrowed: bool = False
    paid: Paid | None = None


def failure_kind(status: RunStatus, items: Sequence[ItemOutcome], ended_by: str | None) -> str | None:
    """The kind of an incident: how the run ended early, or else the error that hit most companies."""
    if status is RunStatus.SUCCESS:
        return None
    if ended_by is not None:
        return ended_by
    kinds = [item.error_kind or item.outcome.value for item in items if item.outcome not in GOOD_OUTCOMES]
    return max(sorted(set(kinds)), key=kinds.count) if kinds else status.value.lower()


def status_from_coverage(items: Sequence[ItemOutcome]) -> RunStatus:
    """SUCCESS when every expected session is covered, FAILED when none is, PARTIAL between.

    Nothing expected is SUCCESS; a company that failed although nothing of it was expected still counts as failed.
    """
    expected = sum(item.expected_count for item in items)
    covered = sum(item.covered_count for item in items)
    failed = sum(item.outcome not in GOOD_OUTCOMES for item in items)
    if covered >= expected and not failed:
        return RunStatus.SUCCESS
    return RunStatus.FAILED if covered == 0 else RunStatus.PARTIAL


def requests_in_words(count: int, by_provider: Mapping[str, int]) -> str:
    """What a run cost: ``1,204 to yahoo``, ``15: 3 to tiingo, 12 to yahoo``; a number where nobody wrote down whom."""
    told = ", ".join(f"{number:,} to {name}" for name, number in by_provider.items())
    if not told:
        return f"{count:,}"
    return told if len(by_provider) == 1 else f"{count:,}: {told}"


def in_words(job_name: str, items: Sequence[ItemOutcome], newest: str) -> str:
    """The run in one sentence: "4 of 5 expected closes up to 2012-11-30 stored, 1 rate_limited"."""
    if not items:
        return f"{job_name}: nothing is due"
    expected = sum(item.expected_count for item in items)
    covered = sum(item.covered_count for item in items)
    reasons: dict[str, int] = {}
    for item in items:
        if item.outcome not in GOOD_OUTCOMES:
            reason = item.error_kind or item.outcome.value
            reasons[reason] = reasons.get(reason, 0) + 1
    told = "".join(f", {count} {reason}" for reason, count in sorted(reasons.items()))
    return f"{covered} of {expected} expected closes up to {newest} stored{told}"


def swept_in_words(items: Sequence[ItemOutcome], newest: str) -> str:
    """A sweep in one sentence: "20 companies read again up to 2012-11-30, 19 well; 60 closes settled, 1 changed"."""
    if not items:
        return "nobody's turn: every company was read within five sessions"
    good = sum(item.outcome in GOOD_OUTCOMES for item in items)
    told = "" if good == len(items) else f", {good} of them well"
    settled, changed = sum(item.settled_count for item in items), sum(item.changed_count for item in items)
    companies = "1 company" if len(items) == 1 else f"{len(items)} companies"
    closes = "1 close" if settled == 1 else f"{settled} closes"
    return f"{companies} read again up to {newest}{told}; {closes} settled, {changed} changed"
